"""What preservation asks about case files, in the database; the business days from their file."""

from collections.abc import Collection, Mapping, Sequence, Set
from pathlib import Path

from direct311.retention.cases.domain import CaseFile, CaseKind
from direct311.retention.holds.domain import ProvisionalHold
from direct311.retention.preservation.domain import BusinessDays, calendar_problems
from direct311.runtime.datafile import load, packaged
from direct311.runtime.storage.database import Document, Index, MongoRecords

_STANDING = {"provisional.state": {"$in": ["placing", "in_force"]}}


class MongoPreservingCases:
    """Implements `PreservingCases` over the collection of the case desk."""

    INDEXES = (
        Index([("provisional.state", 1)], name="provisional", sparse=True),
        Index([("suit", 1)], name="suit", sparse=True),
        Index(
            [("awaits_the_county", 1)],
            name="awaited",
            partialFilterExpression={"awaits_the_county": True},
        ),
    )

    def __init__(self, records: MongoRecords[CaseFile]) -> None:
        self._records = records

    async def standing(self) -> Mapping[str, ProvisionalHold]:
        cursor = self._records.collection.find(_STANDING, {"provisional": 1})
        return {each["_id"]: _provisional(each) async for each in cursor}

    async def standing_of(self, case_ids: Set[str]) -> Mapping[str, ProvisionalHold]:
        by_id = {"_id": {"$in": sorted(case_ids)}}
        cursor = self._records.collection.find(by_id, {"provisional": 1})
        read = {each["_id"]: _provisional(each) async for each in cursor if each.get("provisional")}
        return {case_id: hold for case_id, hold in read.items() if hold.standing}

    async def unfinished(self, limit: int) -> Sequence[str]:
        found: dict[str, None] = {}
        for query in ({"provisional.state": {"$in": ["placing", "ending"]}}, {"suit": "filing"}):
            cursor = self._records.collection.find(query, {"_id": 1}).limit(limit)
            async for document in cursor:
                found[document["_id"]] = None
        return list(found)

    async def sued(self) -> Sequence[str]:
        cursor = self._records.collection.find({"suit": "filed"}, {"_id": 1})
        return [document["_id"] async for document in cursor]

    async def unbounded(self, limit: int, kinds: Collection[CaseKind] | None) -> Sequence[CaseFile]:
        query: Document = {**_STANDING, "provisional.bounds": None}
        if kinds is not None:
            query["kind"] = {"$in": sorted(kinds)}
        return await self._read(query, limit)

    async def awaited(self, limit: int, kinds: Collection[CaseKind]) -> Sequence[CaseFile]:
        waiting = {"awaits_the_county": True, "kind": {"$in": sorted(kinds)}, "lifecycle": "active"}
        return await self._read(waiting, limit)

    async def of_kinds(
        self, case_ids: Collection[str], kinds: Collection[CaseKind]
    ) -> Collection[str]:
        query = {"_id": {"$in": sorted(case_ids)}, "kind": {"$in": sorted(kinds)}}
        cursor = self._records.collection.find(query, {"_id": 1})
        return {document["_id"] async for document in cursor}

    async def _read(self, query: Document, limit: int) -> Sequence[CaseFile]:
        cursor = self._records.collection.find(query).sort("_id", 1).limit(limit)
        return [self._records.stored(document).state async for document in cursor]


def _provisional(document: Document) -> ProvisionalHold:
    return ProvisionalHold.model_validate(document["provisional"])


def load_business_days(path: Path | None = None) -> BusinessDays:
    """The county's own file at `path`, or the packaged one.

    :raises DataFileError: the file is invalid.
    """
    source = path or packaged("direct311.retention", "business_days.yaml")
    return load(BusinessDays, source, calendar_problems).content
