"""Adapters of the departments' work."""
