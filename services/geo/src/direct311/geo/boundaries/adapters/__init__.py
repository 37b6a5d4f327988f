"""Polygons, and the storage of the sets."""
