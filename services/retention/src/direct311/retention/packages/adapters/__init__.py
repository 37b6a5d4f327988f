"""Implements the ports: the owners over HTTP, the holds, PDF, the texts from their file."""
