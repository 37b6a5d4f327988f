"""The protection registry, home addresses, and person indexes made anew."""
