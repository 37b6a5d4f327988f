"""Paths that machines of ours ask for."""

UNCOUNTED = ("/health/", "/metrics", "/internal/")
"""Asked by machines of ours. The front proxy lets nobody else at them."""
