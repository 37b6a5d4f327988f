"""Types and rules of monitoring."""
