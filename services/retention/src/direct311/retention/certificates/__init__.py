"""Certificates of destruction, and the yearly statement."""
