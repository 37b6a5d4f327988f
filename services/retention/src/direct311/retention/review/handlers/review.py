"""The review by two people: a custodian proposes an exact set, a records officer decides."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Final

from direct311.retention.acts import SERVICE, agent, set_decided
from direct311.retention.holds.domain import HoldSnapshot, evaluate
from direct311.retention.holds.ports import Holds
from direct311.retention.inventory.domain import RetentionRules
from direct311.retention.inventory.ports import Inventory
from direct311.retention.record import InventoryRecord
from direct311.retention.review.domain import (
    Disposition,
    LeftOut,
    Proposed,
    Reason,
    Status,
    objection,
    ordered,
)
from direct311.retention.review.handlers.expiry import check_as_of
from direct311.retention.review.ports import Dispositions
from direct311.retention.writes import causes, chunks
from direct311.runtime.access.ledger import Ledger
from direct311.runtime.access.rules import Caller
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.runtime.persons import same_person
from direct311.schemas import events as ev

Changed = Change[InventoryRecord] | None

LOOK_AGAIN_SECONDS: Final = 0.02


class Review:
    """`advance` continues each set from wherever a crash left it; a record's own document says how
    far it is.

    :param ahead: whether this is a test's or a developer's own system, which may live in the
        future.
    :param stopped: whether this process has stopped receiving events. Then nothing is ordered: a
    request may have been reopened.
    """

    def __init__(
        self,
        processor: EventProcessor[InventoryRecord],
        inventory: Inventory,
        holds: Holds,
        dispositions: Dispositions,
        rules: RetentionRules,
        clock: Clock,
        ids: Ids,
        *,
        ahead: bool,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._processor = processor
        self._inventory = inventory
        self._holds = holds
        self._dispositions = dispositions
        self._rules = rules
        self._clock = clock
        self._ids = ids
        self._ahead = ahead
        self._stopped = stopped

    @property
    def _today(self) -> date:
        return self._rules.day(self._clock.now())

    # -- what people do

    async def propose(
        self, custodian: Caller, record_ids: Sequence[str] | None, limit: int, as_of: date | None
    ) -> Disposition:
        """Propose these records, or the first `limit` that are eligible and under no hold.

        :raises RefusedError: `as_of` is in the future, or none of the records can be proposed.
        """
        # A test system may have made records eligible ahead of time; they may proceed there.
        until = as_of or (date.max if self._ahead else self._today)
        check_as_of(until, self._today, ahead=self._ahead)
        if record_ids is None:
            page = await self._inventory.page("eligible", until, None, limit, clear=True)
            record_ids = [record.record_id for record in page]
        disposition = Disposition(
            disposition_id=self._ids.new(),
            as_of=until,
            custodian=custodian.sub,
            proposed_as=agent(custodian),
            proposed_at=self._clock.now(),
            candidates=tuple(dict.fromkeys(record_ids)),
        )
        await self._dispositions.add(disposition)
        disposition = await self.advance(disposition.disposition_id)
        if not disposition.records:
            reasons = sorted({each.reason for each in disposition.left_out})
            detail = ", ".join(reasons) or "nothing is eligible"
            raise RefusedError("nothing_to_propose", f"No record can be proposed: {detail}.")
        return disposition

    async def approve(self, disposition_id: str, officer: Caller, cited: str) -> Disposition:
        """Order the destruction of exactly what was proposed, without what is held or has changed.
        Nothing is ordered before the broker has the entry of the approval: until then the set is
        `ordering`.

        :raises RefusedError: no such set, the same person, a set that is not proposed, or another
            set is meant, or retention is not receiving events.
        """
        while True:
            disposition = await self.get(disposition_id)
            if same_person(disposition.custodian, officer.sub):
                raise RefusedError(
                    "same_person",
                    "Someone other than the custodian who proposed the set must approve it.",
                )
            if disposition.status != "proposed":
                raise RefusedError("status", f"The set is {disposition.status}.")
            if disposition.set_hash != cited:
                raise RefusedError("set_hash", "This is not the hash of the set.", field="set_hash")
            if self._stopped():
                raise RefusedError(
                    "not_up_to_date",
                    "Retention is not receiving events now, so it may not know that a record has "
                    "changed. Try again later.",
                    retry_after=60,
                )
            now = self._clock.now()
            acts = self._acts("approve", agent(officer), now, disposition)
            if await self._dispositions.replace(disposition.approved(officer.sub, now), acts):
                await self._until_published(disposition_id)
                return await self.advance(disposition_id)

    async def reject(self, disposition_id: str, by: Caller, reason: str) -> Disposition:
        """Put the records back into the queue.

        :raises RefusedError: there is no such set, or it is not proposed any more.
        """
        while True:
            disposition = await self.get(disposition_id)
            if disposition.status != "proposed":
                raise RefusedError("status", f"The set is {disposition.status}.")
            now = self._clock.now()
            acts = self._acts("reject", agent(by), now, disposition, reason=reason)
            if await self._dispositions.replace(disposition.rejecting(by.sub, reason, now), acts):
                return await self.advance(disposition_id)

    async def get(self, disposition_id: str) -> Disposition:
        """:raises RefusedError: there is no such set."""
        disposition = await self._dispositions.get(disposition_id)
        if disposition is None:
            raise RefusedError("unknown_disposition", "There is no such disposition set.")
        return disposition

    # -- continuing after each step

    async def step(self) -> None:
        """Continue unfinished sets; orders only while events are received."""
        statuses: list[Status] = ["gathering", "rejecting"]
        if not self._stopped():
            statuses.append("ordering")
        for disposition_id in await self._dispositions.with_status(statuses, 100):
            await self.advance(disposition_id)

    async def advance(self, disposition_id: str) -> Disposition:
        """Do what can be done now for this set; returns the resulting set."""
        while True:
            disposition = await self.get(disposition_id)
            acts: tuple[Outgoing, ...] = ()
            match disposition.status:
                case "gathering":
                    after = await self._gather(disposition)
                    if after.records:
                        by = after.proposed_as or _custodian(after)
                        acts = self._acts("propose", by, self._clock.now(), after)
                case "ordering":
                    if not await self._dispositions.published(disposition_id):
                        return disposition
                    after, gone = await self._order(disposition)
                    now = self._clock.now()
                    acts = self._acts("order", agent(SERVICE), now, after, record_ids=gone)
                case "rejecting":
                    after = await self._put_back(disposition)
                case _:
                    return disposition
            await self._dispositions.replace(after, acts)

    async def _until_published(self, disposition_id: str) -> None:
        """Wait for the entry to reach the broker, but no longer than for an access."""
        if await self._dispositions.published(disposition_id):
            return
        try:
            async with asyncio.timeout(Ledger.TIMEOUT_SECONDS):
                # Another process may publish it.
                while not await self._dispositions.published(disposition_id):  # noqa: ASYNC110
                    await asyncio.sleep(LOOK_AGAIN_SECONDS)
        except TimeoutError:
            # `step` orders it once the entry is there.
            return

    def _acts(
        self,
        act: ev.RecordAct,
        by: ev.AccessAgent,
        at: datetime,
        disposition: Disposition,
        *,
        record_ids: Sequence[str] | None = None,
        reason: str | None = None,
    ) -> tuple[Outgoing, ...]:
        """The entries of an act on a set, about all its records or about these."""
        named = [each.record_id for each in disposition.records]
        left_out = 0 if record_ids is None else len(named) - len(record_ids)
        return set_decided(
            act,
            by,
            at,
            disposition_id=disposition.disposition_id,
            set_hash=disposition.set_hash,
            record_ids=named if record_ids is None else record_ids,
            legal_basis=self._rules.schedule.citation,
            left_out=left_out,
            reason=reason,
        )

    async def _gather(self, disposition: Disposition) -> Disposition:
        order_id, as_of = disposition.disposition_id, disposition.as_of
        left: dict[str, Reason] = {}

        async def decide(state: InventoryRecord) -> Changed:
            left.pop(state.record_id, None)
            if _within(state, order_id):
                return None
            after = self._rules.determined(state)
            if reason := objection(after, as_of):
                left[state.record_id] = reason
                return Change(after) if state.version and after != state else None
            standing = await self._holds.standing_now()
            found = evaluate(after, standing, self._clock.now())
            if not found.clear or standing.cases.stop(after):
                left[state.record_id] = "case_open" if found.clear else "held"
                return Change(found.record, found.events) if found.record != state else None
            return Change(found.record.proposed(order_id), found.events)

        records: list[Proposed] = []
        for chunk in chunks(disposition.candidates):
            states = await self._processor.change_each(causes(chunk, self._ids), decide)
            records += [
                Proposed(
                    record_id=state.record_id,
                    version=state.version,
                    item=state.decided_by,
                    eligible_on=state.eligible_on,
                )
                for state in states.values()
                if _within(state, order_id) and state.decided_by and state.eligible_on
            ]
        records.sort(key=lambda each: each.record_id)
        latest = max((each.eligible_on for each in records), default=date.min)
        return disposition.gathered(records, _left_out(left), min(as_of, max(latest, self._today)))

    async def _order(self, disposition: Disposition) -> tuple[Disposition, Sequence[str]]:
        """The set after ordering, and the records whose destruction it has ordered."""
        order_id = disposition.disposition_id
        versions = {each.record_id: each.version for each in disposition.records}
        left: dict[str, Reason] = {}
        gone: list[str] = []

        async def decide(state: InventoryRecord) -> Changed:
            left.pop(state.record_id, None)
            if not state.open_to_change and state.order_id == order_id:
                return None
            # Read after the record: a hold that raised the fence before is seen here. A hold that
            # raises it later finds the record ordered, or its write comes first and ours fails. An
            # open case writes into the records of sets that are being ordered, and into no other.
            standing = await self._holds.standing_now()
            if state.version != versions[state.record_id] or not _within(state, order_id):
                left[state.record_id] = _why(state, standing)
                return Change(state.back_in_line()) if _within(state, order_id) else None
            now = self._clock.now()
            found = evaluate(state, standing, now)
            if not found.clear or standing.cases.stop(state):
                left[state.record_id] = "case_open" if found.clear else "held"
                return Change(found.record.back_in_line(), found.events)
            after = self._rules.determined(found.record)
            if not _within(after, order_id):
                left[state.record_id] = "changed"
                return Change(after, found.events)
            after, event = ordered(after, disposition, now)
            return Change(after, (*found.events, Outgoing(event)))

        for chunk in chunks(tuple(versions)):
            states = await self._processor.change_each(causes(chunk, self._ids), decide)
            gone += [
                record_id
                for record_id, each in states.items()
                if not each.open_to_change and each.order_id == order_id
            ]
        return disposition.ordered(_left_out(left), nothing=not gone), sorted(gone)

    async def _put_back(self, disposition: Disposition) -> Disposition:
        order_id = disposition.disposition_id

        async def decide(state: InventoryRecord) -> Changed:
            return Change(state.back_in_line()) if _within(state, order_id) else None

        for chunk in chunks(tuple(each.record_id for each in disposition.records)):
            await self._processor.change_each(causes(chunk, self._ids), decide)
        return disposition.rejected()


def _custodian(disposition: Disposition) -> ev.AccessAgent:
    """Who proposed a set that was stored before sets knew more of them than the name."""
    return ev.AccessAgent(id=disposition.custodian, roles=("custodian",))


def _within(record: InventoryRecord, order_id: str) -> bool:
    """Whether the record is in this set and waits for the decision."""
    return record.stage == "in_review" and record.order_id == order_id


def _why(record: InventoryRecord, standing: HoldSnapshot) -> Reason:
    """Why a record that is not what was proposed is left out."""
    if record.held_by:
        return "held"
    return "case_open" if standing.cases.stop(record) else "changed"


def _left_out(left: Mapping[str, Reason]) -> tuple[LeftOut, ...]:
    return tuple(
        LeftOut(record_id=record_id, reason=reason) for record_id, reason in sorted(left.items())
    )
