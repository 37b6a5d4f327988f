"""The protection registry, home addresses, and rebuilding person indexes."""
