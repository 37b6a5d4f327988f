"""A stored request after its acceptance: what other services say about it."""
