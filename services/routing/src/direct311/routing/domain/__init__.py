"""Types and rules of routing: pure."""
