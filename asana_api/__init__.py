"""How Asana is spoken to: every HTTP call that we make, and every way in which one can fail."""
