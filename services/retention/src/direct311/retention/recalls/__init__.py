"""Recalling a package that went out wrongly."""
