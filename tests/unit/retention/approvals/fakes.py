"""Open cases in memory, held to the same contract as those in the database."""

from collections.abc import Sequence

from direct311.retention.cases.domain import CaseFile
from tests.support.memory import InMemoryRecords


class InMemoryOpenCases:
    """`OpenCases` over case files in a dictionary."""

    def __init__(self, records: InMemoryRecords[CaseFile]) -> None:
        self._records = records

    async def open_cases(self, limit: int) -> Sequence[CaseFile]:
        found = [
            each
            for each in self._records.states()
            if each.kind is not None and each.state != "closed" and each.lifecycle == "active"
        ]
        return sorted(found, key=lambda each: each.record_id)[:limit]
