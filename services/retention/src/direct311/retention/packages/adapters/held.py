"""The records of a case, from the holds that were placed for it."""

from collections.abc import Sequence

from direct311.retention.holds.ports import Holds


class HeldRecords:
    """Implements `IdentifiedRecords`: who identifies a record for a case holds it for the case, and
    it stays identified when the hold is released."""

    def __init__(self, holds: Holds) -> None:
        self._holds = holds

    async def of_case(self, case_id: str) -> Sequence[str]:
        found = {
            record_id
            for hold in await self._holds.of_case(case_id)
            for record_id in hold.record_ids
            if record_id not in hold.too_late
        }
        return sorted(found)
