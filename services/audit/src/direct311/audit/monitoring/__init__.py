"""Whoever watches the log: key fetches, numbers of producers, unusual volume."""
