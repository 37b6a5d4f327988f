"""Blind indexes under the keys of a file."""
