"""Types and rules of retention: pure."""
