"""API clients: their keys, quotas, pages, and how often anybody may read."""
