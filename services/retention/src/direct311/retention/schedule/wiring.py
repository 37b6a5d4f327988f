"""Reads the schedule."""

from direct311.retention.schedule.adapters import RetentionFiles, load_retention
from direct311.retention.settings import RetentionSettings


def wire(settings: RetentionSettings) -> RetentionFiles:
    """:raises DataFileError: a file is invalid."""
    return load_retention(settings.schedule_file, settings.assignments_file)
