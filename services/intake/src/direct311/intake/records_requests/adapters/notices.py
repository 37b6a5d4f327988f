"""Reads what somebody reads who asks for public records."""

from pathlib import Path

from direct311.intake.records_requests.domain import RecordsRequestNotices, notice_problems
from direct311.runtime.datafile import DataFile, load, packaged


def load_notices(path: Path | None = None) -> DataFile[RecordsRequestNotices]:
    """The county's own file at `path`, or the one packaged here. Raises `DataFileError`."""
    source = path or packaged("direct311.intake", "records_requests.yaml")
    return load(RecordsRequestNotices, source, notice_problems)
