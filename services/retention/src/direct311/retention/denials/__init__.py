"""Denials: what is not given, by which law, approved by others, and told to the requester."""
