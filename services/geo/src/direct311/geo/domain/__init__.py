"""Types and rules of places; no input or output."""
