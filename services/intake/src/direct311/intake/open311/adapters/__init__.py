"""The public lists in MongoDB."""
