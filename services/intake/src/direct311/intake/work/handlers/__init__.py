"""Use cases of the staff API."""
