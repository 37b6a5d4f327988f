"""Entering, reading and ending protections; homes; reindexing."""
