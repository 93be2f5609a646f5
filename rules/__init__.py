"""What is decided: pure functions over plain values. No input, no output, no clock of their own."""
