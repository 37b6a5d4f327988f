"""Implements the ports: retention over HTTP, the texts from their file."""
