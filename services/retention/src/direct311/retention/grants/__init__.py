"""Grants: what may be opened for a case, prepared by one person and approved by others."""
