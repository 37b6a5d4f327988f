"""Geo: boundaries and the place of a request."""
