"""Eligible records, and the review of a set by two people."""
