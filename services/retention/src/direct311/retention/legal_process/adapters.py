"""Instruments and agencies from their files; case files with a legal process in the database."""

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path

from direct311.retention.cases.domain import CaseFile
from direct311.retention.legal_process.domain import (
    Agencies,
    InstrumentRules,
    agency_problems,
    instrument_problems,
)
from direct311.runtime.access.roles import ROLES
from direct311.runtime.datafile import load, packaged
from direct311.runtime.storage.database import Index, MongoRecords


class MongoLegalCases:
    """Implements `LegalCases` over the collection of the case desk."""

    INDEXES = (Index([("legal.follow_up_due_at", 1)], name="follow_up", sparse=True),)

    def __init__(self, records: MongoRecords[CaseFile]) -> None:
        self._records = records

    async def awaiting_follow_up(self, due_by: datetime, limit: int) -> Sequence[str]:
        query = {
            "legal.follow_up_due_at": {"$lte": due_by},
            "legal.follow_up": None,
            "lifecycle": "active",
        }
        found = self._records.collection.find(query, {"_id": 1})
        cursor = found.sort("legal.follow_up_due_at", 1).limit(limit)
        return [document["_id"] async for document in cursor]


def load_instruments(
    path: Path | None = None, *, fields: Collection[str], local: bool
) -> InstrumentRules:
    """The county's own file at `path`, or the packaged one.

    :param fields: the sealed fields that there are.
    :param local: whether entries that counsel has not confirmed are loaded too.
    :raises DataFileError: the file is invalid.
    """
    source = path or packaged("direct311.retention", "instruments.yaml")
    rules = load(
        InstrumentRules, source, lambda each: instrument_problems(each, ROLES.people, fields)
    ).content
    return rules if local else rules.confirmed_only()


def load_agencies(path: Path | None = None, *, local: bool) -> Agencies:
    """The county's own file at `path`, or the packaged one.

    :param local: whether samples and entries that nobody has confirmed are loaded too.
    :raises DataFileError: the file is invalid.
    """
    source = path or packaged("direct311.retention", "agencies.yaml")
    agencies = load(Agencies, source, agency_problems).content
    return agencies if local else agencies.confirmed_only()
