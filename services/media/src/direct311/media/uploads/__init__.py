"""Uploads: the ticket, what the bytes are, the sealed original, the clean copy."""
