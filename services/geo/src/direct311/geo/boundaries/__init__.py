"""Boundary sets: importing them, which are in force, and what they say about a point."""
