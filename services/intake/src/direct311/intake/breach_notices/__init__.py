"""Telling reporters of a breach of security by e-mail, without showing anybody their address."""
