"""The monitoring ports on real servers."""
