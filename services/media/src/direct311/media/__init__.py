"""Uploads: verified, sealed, and published as clean copies."""
