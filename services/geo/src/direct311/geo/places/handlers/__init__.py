"""The use cases: resolve a place, follow a request."""
