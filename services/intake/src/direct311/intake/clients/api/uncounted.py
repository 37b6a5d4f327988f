"""Paths that our own machines request."""

UNCOUNTED = ("/health/", "/metrics", "/internal/")
"""Requested by our own machines. The front proxy blocks everybody else."""
