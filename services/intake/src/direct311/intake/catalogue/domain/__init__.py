"""Types and rules of the catalogue: pure."""
