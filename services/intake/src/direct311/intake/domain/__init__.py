"""Types and rules of intake: pure."""
