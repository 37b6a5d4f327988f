"""Watches the log: key fetches, producers' numbers, unusual volume."""
