"""Keyed hashes that identify people and places; shared by all capabilities."""
