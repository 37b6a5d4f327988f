"""Implementations of the ports of uploads."""
