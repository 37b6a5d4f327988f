"""Databases and object stores, and long jobs over their contents."""
