"""Reads the schedule."""

from direct311.retention.schedule.adapters import RetentionFiles, load_retention
from direct311.retention.settings import RetentionSettings


def wire(settings: RetentionSettings) -> RetentionFiles:
    """:raises DataFileError: a file is not good."""
    return load_retention(settings.schedule_file, settings.assignments_file)
