"""The log's ports on real servers."""
