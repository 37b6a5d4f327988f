"""Databases and object stores, and long work on what they hold."""
