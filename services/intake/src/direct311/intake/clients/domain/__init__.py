"""Types and rules of API clients: pure."""
