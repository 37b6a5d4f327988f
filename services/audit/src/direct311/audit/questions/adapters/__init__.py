"""The questions' ports on real servers."""
