"""Implementations of the ports of protection."""
