"""Alarms: raised once each, told to operators as events."""
