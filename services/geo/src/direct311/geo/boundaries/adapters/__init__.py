"""Polygons, and where the sets are kept."""
