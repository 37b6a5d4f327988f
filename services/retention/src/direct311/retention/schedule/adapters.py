"""Reads the retention schedule and the assignments to it from their files."""

from dataclasses import dataclass
from pathlib import Path

from direct311.retention.schedule.domain.schedule import (
    Assignments,
    Schedule,
    assignment_problems,
    schedule_problems,
)
from direct311.runtime.datafile import load, packaged


@dataclass(frozen=True, slots=True)
class RetentionFiles:
    """What was read, and the SHA-256 (hex) of each file by its name."""

    schedule: Schedule
    assignments: Assignments
    sha256: dict[str, str]


def load_retention(
    schedule_path: Path | None = None, assignments_path: Path | None = None
) -> RetentionFiles:
    """The county's own files, or the packaged ones; checked separately and against each other.

    Raises `DataFileError`.
    """
    package = "direct311.retention"
    schedule = load(
        Schedule, schedule_path or packaged(package, "schedule.yaml"), schedule_problems
    )
    assignments = load(
        Assignments,
        assignments_path or packaged(package, "assignments.yaml"),
        lambda each: assignment_problems(each, schedule.content),
    )
    return RetentionFiles(
        schedule.content,
        assignments.content,
        {file.name: file.sha256 for file in (schedule, assignments)},
    )
