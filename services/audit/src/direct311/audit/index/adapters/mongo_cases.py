"""What disclosure cases have said last about their exemption, in MongoDB.

case_exemptions    one document for each case, `_id`: the case's id
"""

import contextlib
from collections.abc import Collection, Sequence

from direct311.audit.index.domain import CaseExemption
from direct311.runtime.storage.database import (
    Collection as Documents,
)
from direct311.runtime.storage.database import Database, Document, DuplicateError, Index


class MongoCaseExemptions:
    """`CaseExemptions`."""

    def __init__(self, database: Database) -> None:
        self._cases: Documents = database["case_exemptions"]

    async def prepare(self) -> None:
        await self._cases.create_indexes(
            [Index([("matters", 1)], name="matters", partialFilterExpression={"matters": True})]
        )

    async def keep(self, said: CaseExemption, *, matters: bool) -> None:
        fields = said.model_dump(exclude={"case_id"})
        # If this or a later version is there, the insert meets its document.
        with contextlib.suppress(DuplicateError):
            await self._cases.update_one(
                {"_id": said.case_id, "version": {"$lt": said.version}},
                {"$set": fields},
                upsert=True,
            )
        if matters:
            await self._cases.update_one({"_id": said.case_id}, {"$set": {"matters": True}})

    async def that_matter(self) -> Sequence[CaseExemption]:
        return [_read(each) async for each in self._cases.find({"matters": True})]

    async def of(self, case_ids: Collection[str]) -> Sequence[CaseExemption]:
        found = self._cases.find({"_id": {"$in": list(case_ids)}})
        return [_read(each) async for each in found]


def _read(document: Document) -> CaseExemption:
    """What a document says. One that cannot be read has no tag, so its case stays exempt."""
    try:
        return CaseExemption(
            case_id=document["_id"],
            version=document["version"],
            exempt_until=document["exempt_until"],
            notice=document.get("notice"),
            tag=bytes(document["tag"]),
        )
    except (KeyError, TypeError, ValueError):
        return CaseExemption(case_id=document["_id"], version=0)
