"""API clients in MongoDB."""
