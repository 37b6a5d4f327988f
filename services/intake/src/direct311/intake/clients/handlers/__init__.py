"""Admitting calls, counting them, and what administrators do with clients."""
