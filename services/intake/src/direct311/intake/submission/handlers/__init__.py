"""The use cases of accepting a submission."""
