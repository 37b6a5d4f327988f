"""The index's ports on real servers."""
