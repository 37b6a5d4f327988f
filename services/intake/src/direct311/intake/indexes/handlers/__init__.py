"""The index values of a place, and which clients' submissions match the registry."""
