"""Requests for public records: anybody may send one, and ask by its token how far it is."""
