"""The use cases of a legal process, one file for each."""
