"""Boundary sets: imported, in force, and what lies at a point by them."""
