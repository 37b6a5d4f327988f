"""The events about the disposition of case files."""

TOPICS = ("disposition",)
