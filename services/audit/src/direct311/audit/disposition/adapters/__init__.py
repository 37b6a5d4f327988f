"""The disposition's ports on real servers."""
