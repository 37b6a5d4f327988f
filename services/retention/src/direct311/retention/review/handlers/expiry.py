"""Eligibility: the daily step, and the same on demand."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from direct311.retention.holds.domain import evaluate
from direct311.retention.holds.ports import Holds
from direct311.retention.inventory.domain import RetentionRules
from direct311.retention.inventory.ports import Inventory, Position
from direct311.retention.record import InventoryRecord
from direct311.retention.writes import CHUNK, causes
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.state import Change, Outgoing


def check_as_of(as_of: date, today: date, *, ahead: bool) -> None:
    """:raises RefusedError: the date is in the future, where that is not allowed."""
    if as_of > today and not ahead:
        raise RefusedError(
            "as_of_in_future",
            "Only a dry run may have a date in the future: records are kept for their whole "
            "retention period.",
            field="as_of",
        )


@dataclass(frozen=True, slots=True)
class Expired:
    """What a run found. `records` and `more` are a page of a dry run."""

    as_of: date
    dry_run: bool
    count: int
    records: Sequence[InventoryRecord] = field(default=())
    more: bool = False


class Expiry:
    """Makes due records eligible; each is announced once.

    :param ahead: whether this is a test's or a developer's own system, which may live in the
        future.
    """

    def __init__(
        self,
        processor: EventProcessor[InventoryRecord],
        inventory: Inventory,
        holds: Holds,
        rules: RetentionRules,
        clock: Clock,
        ids: Ids,
        *,
        ahead: bool,
    ) -> None:
        self._processor = processor
        self._inventory = inventory
        self._holds = holds
        self._rules = rules
        self._clock = clock
        self._ids = ids
        self._ahead = ahead

    @property
    def today(self) -> date:
        """The day of the county's calendar."""
        return self._rules.day(self._clock.now())

    async def step(self) -> None:
        """Bring records under the current rules, then make due records eligible."""
        await self._redetermine()
        await self.run(self.today)

    async def look(self, as_of: date, after: Position | None, limit: int) -> Expired:
        """What a run would make eligible, page by page; nothing is changed."""
        found = await self._inventory.page("active", as_of, after, limit + 1)
        return Expired(as_of, True, len(found[:limit]), found[:limit], len(found) > limit)

    async def run(self, as_of: date) -> Expired:
        """Make eligible, and announce, every record that is due by `as_of`.

        :raises RefusedError: `as_of` is in the future and this is a production system.
        """
        check_as_of(as_of, self.today, ahead=self._ahead)
        count = 0

        async def decide(state: InventoryRecord) -> Change[InventoryRecord] | None:
            if state.stage != "active" or state.eligible_on is None or state.eligible_on > as_of:
                return None
            after = self._rules.determined(state)
            if after.eligible_on is None or after.eligible_on > as_of:
                return Change(after)
            now = self._clock.now()
            after, event = after.expired(now)
            found = evaluate(after, await self._holds.standing(after.fence), now)
            return Change(found.record, (Outgoing(event), *found.events))

        while due := await self._inventory.due(as_of, CHUNK):
            states = await self._processor.change_each(causes(due, self._ids), decide)
            count += sum(state.stage == "eligible" for state in states.values())
        return Expired(as_of, False, count)

    async def _redetermine(self) -> None:
        async def decide(state: InventoryRecord) -> Change[InventoryRecord] | None:
            after = self._rules.determined(state)
            return Change(after) if after != state else None

        while outdated := await self._inventory.outdated(self._rules.version, CHUNK):
            await self._processor.change_each(causes(outdated, self._ids), decide)
