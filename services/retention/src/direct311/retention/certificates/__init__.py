"""Certificates of destruction, and the statement of the year."""
