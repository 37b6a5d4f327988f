"""Implements the ports: retention over HTTP, the words from their file."""
