"""Disclosure cases on real servers, for measurements."""
