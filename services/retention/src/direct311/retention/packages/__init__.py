"""Packages: what a case releases, collected from its owners, built, approved by hash, released."""
