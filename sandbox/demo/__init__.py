"""The demo: one whole day of Seatkeeper on real parts, and every figure of it held against the truth."""
