"""A stored request after it was taken in: what other services say of it."""
