"""Alarms: each is raised once, and reported to operators as an event."""
