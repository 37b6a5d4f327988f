"""Searches for a disclosure case: by person, in sealed text, or by what is public of a request."""
