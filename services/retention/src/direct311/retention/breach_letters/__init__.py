"""The letters after a breach of security, as PDF."""
