"""Deliveries: a released package is encrypted to its recipient, who opens it once with a code."""
