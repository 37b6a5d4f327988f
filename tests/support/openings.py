"""What emergency staff opened, in memory, as audit remembers it."""

from collections.abc import Sequence
from datetime import datetime

from direct311.audit.monitoring.domain.openings import Unexplained


class InMemoryOpenings:
    """`Openings` in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, Unexplained] = {}
        self.explained: set[str] = set()

    async def keep(self, openings: Sequence[Unexplained]) -> None:
        for each in openings:
            self.kept.setdefault(each.case_id, each)

    async def explain(self, case_ids: Sequence[str]) -> None:
        self.explained |= {each for each in case_ids if each in self.kept}

    async def late(self, before: datetime) -> Sequence[Unexplained]:
        found = [
            each
            for each in self.kept.values()
            if each.at < before and each.case_id not in self.explained
        ]
        return sorted(found, key=lambda each: each.at)[:500]
