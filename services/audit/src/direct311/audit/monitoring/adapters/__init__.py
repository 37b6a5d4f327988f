"""The watchers' ports on real servers."""
