"""Keyed hashes by which persons and places are known; shared by all capabilities."""
