"""The rules and the announcements; no input or output."""
