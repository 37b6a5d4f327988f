"""The departments' notes in their original words, sealed with the request."""
