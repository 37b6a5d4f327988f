"""Monitoring of the log, one module per task."""
