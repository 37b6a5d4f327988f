"""The store of the protection registry in memory."""

from collections.abc import Sequence
from datetime import datetime

from direct311.intake.protection.domain import Disposal, Ending, Protection


class InMemoryProtections:
    """`ProtectionStore` in a dictionary."""

    def __init__(self) -> None:
        self.version = 0
        self.kept: dict[str, Protection] = {}
        self.disposals: dict[str, Disposal] = {}

    async def add(self, protection: Protection) -> int:
        self.kept[protection.protection_id] = protection
        self.version += 1
        return self.version

    async def propose_ending(self, protection_id: str, ending: Ending) -> None:
        if (found := self._in_force(protection_id)) and found.ending is None:
            self._put(found, ending=ending)

    async def confirm_ending(self, protection_id: str, ending: Ending) -> None:
        found = self._with(protection_id, ending.ending_id)
        if found and found.ending and found.ending.confirmed_at is None:
            self._put(found, ending=ending)

    async def undo_ending(self, protection_id: str, ending_id: str) -> None:
        if found := self._with(protection_id, ending_id):
            self._put(found, ending=None)

    async def due_endings(self, at: datetime) -> Sequence[Protection]:
        return [each for each in self.kept.values() if self._due(each, at)]

    async def end(self, protection_id: str, ending_id: str, at: datetime) -> tuple[str, ...] | None:
        found = self._with(protection_id, ending_id)
        if found is None or found.ending is None or not self._due(found, at):
            return None
        self._put(found, withdrawn_at=at, withdrawn_by=found.ending.proposed_by, hashes=())
        self.version += 1
        return found.hashes

    def _in_force(self, protection_id: str) -> Protection | None:
        found = self.kept.get(protection_id)
        return found if found is not None and found.withdrawn_at is None else None

    def _with(self, protection_id: str, ending_id: str) -> Protection | None:
        found = self._in_force(protection_id)
        same = found is not None and found.ending and found.ending.ending_id == ending_id
        return found if same else None

    def _due(self, found: Protection, at: datetime) -> bool:
        ends_at = found.ending.ends_at if found.ending else None
        return found.withdrawn_at is None and ends_at is not None and ends_at <= at

    def _put(self, found: Protection, **changed: object) -> None:
        self.kept[found.protection_id] = found.model_copy(update=changed)

    async def get(self, protection_id: str) -> Protection | None:
        return self.kept.get(protection_id)

    async def propose_disposal(self, protection_id: str, at: datetime, by: str) -> None:
        found = self.kept[protection_id]
        if found.disposal_proposed_by is None:
            said = {"disposal_proposed_at": at, "disposal_proposed_by": by}
            self.kept[protection_id] = found.model_copy(update=said)

    async def dispose(self, disposal: Disposal) -> None:
        if self.kept.pop(disposal.protection_id, None) is not None:
            self.disposals[disposal.protection_id] = disposal

    async def disposal(self, protection_id: str) -> Disposal | None:
        return self.disposals.get(protection_id)

    async def entries(
        self, *, in_force: bool | None, after: str, limit: int
    ) -> Sequence[Protection]:
        found = [
            each
            for _, each in sorted(self.kept.items())
            if each.protection_id > after
            and (in_force is None or (each.withdrawn_at is None) is in_force)
        ]
        return found[:limit]
