"""The confined processes that render, and how a file is found by its id."""
