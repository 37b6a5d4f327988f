"""Holds: placed, written into records, released."""
