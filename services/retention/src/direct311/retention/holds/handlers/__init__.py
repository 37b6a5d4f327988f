"""The use cases: place and release a hold, check what it names."""
