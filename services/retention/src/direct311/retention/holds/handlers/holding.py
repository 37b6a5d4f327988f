"""Placing and releasing holds: raise the fence, write the hold into each record, check once
more."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from direct311.retention.acts import agent, hold_placed, hold_released
from direct311.retention.holds.domain import Hold, evaluate
from direct311.retention.holds.ports import HoldableRecords, Holds
from direct311.retention.record import InventoryRecord
from direct311.retention.writes import CHUNK, causes
from direct311.runtime.access.rules import Caller
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.state import Change
from direct311.runtime.persons import same_person

TOO_LATE_LISTED: Final = 1000


class Holding:
    """Every step is repeatable: `advance` continues a hold from wherever a crash left it.

    :param settle_for: longer than any write can take that was decided before the fence was raised.
    """

    def __init__(
        self,
        processor: EventProcessor[InventoryRecord],
        inventory: HoldableRecords,
        holds: Holds,
        clock: Clock,
        ids: Ids,
        settle_for: timedelta,
    ) -> None:
        self._processor = processor
        self._inventory = inventory
        self._holds = holds
        self._clock = clock
        self._ids = ids
        self._settle_for = settle_for

    async def place(self, hold: Hold, by: Caller, *, chunks: int | None = None) -> Hold:
        """Place a hold, and write that into the audit log; does nothing if the id is already known.

        With `chunks`, writes at most this many pieces of records now: the loop does the rest, and
        until then the hold is `placing`.
        """
        acts = hold_placed(
            agent(by),
            self._clock.now(),
            hold_id=hold.hold_id,
            kind=hold.kind,
            authority=hold.authority,
            record_ids=hold.record_ids,
            query=hold.query,
            case_id=hold.case_id,
        )
        await self._holds.add(hold, acts)
        return await self.advance(hold.hold_id, chunks=chunks)

    async def release(
        self, hold_id: str, by: Caller, reason: str, *, chunks: int | None = None
    ) -> Hold:
        """End a hold, and write that into the audit log. The person who placed it may not release
        it.

        :raises RefusedError: there is no such hold, it is the same person, it is not in force, its
            case must keep it longer, or a suit does and the caller is not counsel.
        """
        while True:
            hold = await self._holds.get(hold_id)
            if hold is None:
                raise RefusedError("unknown_hold", "There is no such hold.")
            if same_person(hold.placed_by, by.sub):
                raise RefusedError(
                    "same_person",
                    "Someone other than the person who placed the hold must release it.",
                )
            if hold.state == "placing":
                raise RefusedError("placing", "The hold is still being written; try again.")
            if hold.state != "in_force":
                return await self.advance(hold_id, chunks=chunks)
            now = self._clock.now()
            _check_case(hold, by, now)
            acts = hold_released(
                agent(by),
                now,
                hold_id=hold_id,
                reason=reason,
                record_ids=hold.record_ids,
                query=hold.query,
                case_id=hold.case_id,
            )
            if await self._holds.replace(hold.releasing(by.sub, reason, now), acts):
                return await self.advance(hold_id, chunks=chunks)

    async def sue(self, hold_id: str, by: Caller) -> Hold:
        """Let a case's hold last until a court's order, and write that into the audit log; does
        nothing if that is so already, or if the hold has ended.

        :raises RefusedError: there is no such hold.
        """
        while True:
            hold = await self._holds.get(hold_id)
            if hold is None:
                raise RefusedError("unknown_hold", "There is no such hold.")
            if hold.suit_at is not None or not hold.standing:
                return hold
            now = self._clock.now()
            acts = hold_placed(
                agent(by),
                now,
                hold_id=hold.hold_id,
                kind=hold.kind,
                authority=hold.authority,
                record_ids=hold.record_ids,
                query=hold.query,
                case_id=hold.case_id,
                again="suit",
            )
            if await self._holds.replace(hold.sued(now), acts):
                return await self._holds.get(hold_id) or hold

    async def step(self) -> None:
        """Continue what is not finished."""
        for hold_id in await self._holds.unfinished():
            await self.advance(hold_id)
        while behind := await self._inventory.behind(CHUNK):
            await self._evaluate(behind, 0)

    async def advance(self, hold_id: str, *, chunks: int | None = None) -> Hold:
        """Do what can be done now for this hold; returns the resulting hold."""
        while True:
            hold = await self._holds.get(hold_id)
            if hold is None:
                raise RefusedError("unknown_hold", "There is no such hold.")
            after = await self._next(hold, chunks)
            if after is None:
                return hold
            await self._holds.replace(after)

    async def _next(self, hold: Hold, chunks: int | None) -> Hold | None:
        """The hold one step further, or `None` if nothing can be done now."""
        now = self._clock.now()
        match hold.state:
            case "placing" if hold.fence is None:
                return hold.fenced(await self._holds.raise_fence(("hold", hold.hold_id)))
            case "placing":
                if not await self._write(hold, chunks):
                    return None
                too_late = await self._inventory.too_late(hold, TOO_LATE_LISTED)
                return hold.placed(too_late, now + self._settle_for)
            case "releasing" if hold.released_fence is None:
                return hold.release_fenced(await self._holds.raise_fence(("hold", hold.hold_id)))
            case "releasing":
                if not await self._erase(hold, chunks):
                    return None
                return hold.released(now + self._settle_for)
            case _ if hold.settle_at is None or hold.settle_at > now:
                return None
            case "in_force":
                done = await self._write(hold, chunks)
            case _:
                done = await self._erase(hold, chunks)
        return hold.settled() if done else None

    async def _write(self, hold: Hold, chunks: int | None) -> bool:
        """Write the hold into the records under it; returns whether that is all of them."""
        while found := await self._inventory.matching(hold, CHUNK):
            if chunks == 0:
                return False
            await self._evaluate(found, hold.fence or 0)
            chunks = None if chunks is None else chunks - 1
        return True

    async def _erase(self, hold: Hold, chunks: int | None) -> bool:
        while found := await self._inventory.holding(hold.hold_id, CHUNK):
            if chunks == 0:
                return False
            await self._evaluate(found, hold.released_fence or 0)
            chunks = None if chunks is None else chunks - 1
        return True

    async def _evaluate(self, record_ids: Sequence[str], fence: int) -> None:
        async def decide(state: InventoryRecord) -> Change[InventoryRecord] | None:
            standing = await self._holds.standing(max(fence, state.fence))
            found = evaluate(state, standing, self._clock.now())
            return Change(found.record, found.events) if found.record != state else None

        await self._processor.change_each(causes(record_ids, self._ids), decide)


def _check_case(hold: Hold, by: Caller, now: datetime) -> None:
    """What a case asks of a release."""
    if hold.suit_at is not None and "counsel" not in by.roles:
        raise RefusedError(
            "court_hold", "A suit was filed: only counsel releases the hold, by the court's order."
        )
    if hold.earliest_release_at is not None and now < hold.earliest_release_at:
        raise RefusedError(
            "hold_period",
            "The law keeps these records for some time after the written request; see "
            "earliest_release_at.",
        )
