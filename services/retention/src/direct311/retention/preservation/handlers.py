"""What a case stops, from its opening to the release of its holds.

Opening is one write: the case file with its provisional hold. Then the fence is raised, so whoever
orders a record from then on sees the case. An order that looked before may still be on its way, so
opening also writes into the records of sets that are being ordered: either the order comes first,
or it fails and looks again. Only then is the case answered for. The same for new bounds.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from direct311.retention.acts import SERVICE, agent, provisional_ended, provisional_placed
from direct311.retention.cases.domain import CaseFile, CaseKind, CaseRules
from direct311.retention.cases.work import noting
from direct311.retention.holds.domain import Bounds, Hold, ProvisionalHold, evaluate
from direct311.retention.holds.ports import Holds
from direct311.retention.inventory.ports import Inventory
from direct311.retention.preservation.domain import BusinessDays, CaseTask
from direct311.retention.preservation.ports import KnownNames, PreservingCases, RealHolds
from direct311.retention.record import InventoryRecord
from direct311.retention.review.ports import Dispositions
from direct311.retention.writes import causes, chunks
from direct311.runtime.access.rules import Caller
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import FieldProblem, MalformedError, RefusedError
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.schemas import derived_id

SETS_AT_ONCE: Final = 10_000
"""More sets are never ordered at the same time."""
LISTED: Final = 500
"""How many tasks are listed."""
NAMED: Final = 10
"""How many unknown records of some bounds are named at once."""
SUPERVISORS: Final = ("records_officer", "counsel")
"""Roles without a desk that see what an overdue or held case stops, but not what it is."""


@dataclass(frozen=True, slots=True)
class Preserved:
    """What a case stops. `bounds_due_at`: when it must have bounds; `None` if it needs none."""

    case: CaseFile
    holds: Sequence[Hold]
    bounds_due_at: datetime | None
    overdue: bool


class Preservation:
    """Every step is repeatable: `advance` continues a case from wherever a crash left it."""

    def __init__(
        self,
        cases: EventProcessor[CaseFile],
        files: PreservingCases,
        rules: CaseRules,
        records: EventProcessor[InventoryRecord],
        inventory: Inventory,
        dispositions: Dispositions,
        holds: Holds,
        holding: RealHolds,
        names: KnownNames,
        business_days: BusinessDays,
        zone: ZoneInfo,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._cases = cases
        self._files = files
        self._rules = rules
        self._records = records
        self._inventory = inventory
        self._dispositions = dispositions
        self._holds = holds
        self._holding = holding
        self._names = names
        self._business_days = business_days
        self._zone = zone
        self._clock = clock
        self._ids = ids

    # -- what people do

    async def check(self, bounds: Bounds | None, *, within: str = "bounds.") -> None:
        """:param within: where the bounds are in what was sent.
        :raises MalformedError: the bounds name what no record has, or a record that does not exist,
            and so would stop nothing."""
        if bounds is None:
            return
        problems = [
            FieldProblem(
                field=f"{within}record_ids.{index}",
                detail="The inventory has no such record.",
                code="not_a_choice",
            )
            for index, record_id in enumerate(bounds.record_ids)
            if await self._inventory.get(record_id) is None
        ]
        if problems:
            raise MalformedError(problems[:NAMED])
        if bounds.query is not None:
            await self._names.check(bounds.query, field=f"{within}query", later=False)

    async def look(self, caller: Caller, case_id: str) -> Preserved:
        """What a case stops.

        :raises RefusedError: there is no such case for the caller.
        """
        return await self._seen(caller, case_id)

    async def bound(self, caller: Caller, case_id: str, bounds: Bounds) -> Preserved:
        """Set or change the bounds of a case. A records officer may do so once they are overdue.

        :raises RefusedError: there is no such case for the caller, or its records are identified.
        :raises MalformedError: the bounds name what no record has, or no record.
        """
        await self._seen(caller, case_id, only_overdue=True)
        await self.check(bounds, within="")

        async def decide(state: CaseFile) -> Change[CaseFile] | None:
            return self.bounded(caller, state, bounds)

        await self._cases.change(case_id, self._ids.new(), noting(decide))
        return await self._preserved(await self.advance(case_id))

    def bounded(self, caller: Caller, state: CaseFile, bounds: Bounds) -> Change[CaseFile] | None:
        """The case with these bounds, and the events that say so; `None` if it has them. After the
        write, `opened` makes sure that everybody who orders knows.

        :raises RefusedError: the records of the case are identified.
        """
        provisional = _standing(state)
        if provisional.bounds == bounds:
            return None
        now = self._clock.now()
        placed = provisional.bounded(bounds, caller.sub, now)
        after = state.preserving(placed)
        acts = provisional_placed(agent(caller), now, state.record_id, bounds, placed.revision)
        return Change(after, (self._step(after, "bounds_set", caller, now), *acts))

    async def bounds_again(self, state: CaseFile, bounds: Bounds | None) -> Bounds | None:
        """Within which bounds a case stops destruction when it is opened again: those given, or its
        earlier ones, and always the records of its holds, which may be released meanwhile.

        :raises MalformedError: the bounds name what no record has.
        """
        await self.check(bounds)
        earlier = state.provisional.bounds if state.provisional else None
        found = bounds or earlier
        if found is None:
            return None
        held = [each.record_ids for each in await self._holds.of_case(state.record_id)]
        return found.and_records([record_id for some in held for record_id in some])

    async def identify(
        self, caller: Caller, case_id: str, record_ids: Sequence[str], *, complete: bool
    ) -> Preserved:
        """Hold these records for the case; may be repeated.

        :param complete: these are the last ones. The provisional hold ends once all of them are
            held.
        :raises RefusedError: the caller's desk has no such case, it is closed, or the inventory has
            no such record.
        """
        state = await self._found(caller, case_id)
        if state.state == "closed" and state.suit is None:
            raise RefusedError("case_closed", "The case is closed.")
        record_ids = tuple(dict.fromkeys(record_ids))
        for index, record_id in enumerate(record_ids):
            if await self._inventory.get(record_id) is None:
                raise RefusedError(
                    "unknown_record",
                    "The inventory has no such record.",
                    field=f"record_ids.{index}",
                )
        if record_ids:
            await self._held(caller, state, record_ids)

        async def decide(state: CaseFile) -> Change[CaseFile] | None:
            provisional = state.provisional
            # Read after the hold was placed: it may have missed a suit.
            after = state if state.suit is None else state.sued(caller.sub, self._clock.now())
            now = self._clock.now()
            if complete and provisional is not None and provisional.standing:
                after = after.preserving(provisional.ending(now))
                acts = provisional_ended(
                    agent(caller),
                    now,
                    case_id,
                    provisional.bounds,
                    reopened=len(state.reopenings),
                )
                codes = ("complete",)
                step = self._step(after, "records_identified", caller, now, codes, len(record_ids))
                return Change(after, (step, *acts))
            return Change(after) if after != state else None

        await self._cases.change(case_id, self._ids.new(), noting(decide))
        return await self._preserved(await self.advance(case_id, caller))

    async def sue(self, caller: Caller, case_id: str) -> Preserved:
        """Somebody sued: every hold of the case lasts until a court's order, and so does the
        provisional hold until the records are identified. May be repeated.

        :raises RefusedError: the caller's desk has no such case.
        """
        await self._found(caller, case_id)

        async def decide(state: CaseFile) -> Change[CaseFile] | None:
            if state.suit is not None:
                return None
            now = self._clock.now()
            after = state.sued(caller.sub, now)
            return Change(after, (self._step(after, "suit", caller, now),))

        await self._cases.change(case_id, self._ids.new(), noting(decide))
        return await self._preserved(await self.advance(case_id, caller))

    async def tasks(self, caller: Caller) -> Sequence[CaseTask]:
        """What must be done at the caller's desk; for records officers and counsel, what is overdue
        at any."""
        kinds = self._rules.kinds_at(caller.roles)
        supervises = bool({*SUPERVISORS} & {*caller.roles})
        found: list[CaseTask] = []
        for file in await self._files.unbounded(LISTED, None if supervises else kinds):
            due_at = self._due_at(file)
            overdue = self._clock.now() >= due_at
            if file.kind in kinds or overdue:
                found.append(
                    CaseTask(
                        case_id=file.record_id, task="set_bounds", due_at=due_at, overdue=overdue
                    )
                )
        for file in await self._files.awaited(LISTED, kinds):
            found += self._awaited(file)
        found += await self._to_release(None if supervises else kinds)
        return found

    def _awaited(self, file: CaseFile) -> Iterator[CaseTask]:
        """What the requester waits for: the answer to a message, or to a notice of a suit."""
        now, unread = self._clock.now(), file.unanswered_since
        if unread is not None:
            due_at = self._business_days.end_of(
                self._rules.bounds_business_days, unread, self._zone
            )
            yield CaseTask(
                case_id=file.record_id, task="answer_message", due_at=due_at, overdue=now >= due_at
            )
        notified = file.answer_to_a_suit_since
        if notified is not None:
            due_at = self._business_days.end_of(
                self._rules.notice_business_days, notified, self._zone
            )
            yield CaseTask(
                case_id=file.record_id, task="answer_notice", due_at=due_at, overdue=now >= due_at
            )

    async def _to_release(self, kinds: Collection[CaseKind] | None) -> Sequence[CaseTask]:
        """The holds of cases of these kinds (of all, without them) that may be released now. Holds
        that serve no case, and those of another desk's cases, take no room in the list."""
        found: list[CaseTask] = []
        after: Hold | None = None
        while len(found) < LISTED:
            page = await self._holds.releasable(LISTED, after)
            case_ids = {each.case_id for each in page if each.case_id is not None}
            at_desk = case_ids if kinds is None else await self._files.of_kinds(case_ids, kinds)
            found += [
                CaseTask(
                    case_id=each.case_id,
                    task="release_hold",
                    hold_id=each.hold_id,
                    due_at=each.earliest_release_at,
                    overdue=True,
                )
                for each in page
                if each.case_id in at_desk and each.case_id and each.earliest_release_at
            ]
            if len(page) < LISTED:
                break
            after = page[-1]
        return found[:LISTED]

    async def alarming(self) -> Sequence[str]:
        """The cases that stop all destruction and should have had bounds by now."""
        now = self._clock.now()
        files = await self._files.unbounded(LISTED, None)
        return [each.record_id for each in files if now >= self._due_at(each)]

    # -- continuing after each step

    async def opened(self, case_id: str) -> CaseFile:
        """Everybody who orders knows of the new case when this returns."""
        return await self.advance(case_id)

    async def step(self) -> None:
        """Continue what is not finished. A hold that was being placed while somebody sued may not
        know of the suit, if its call was killed then."""
        for case_id in await self._files.unfinished(LISTED):
            await self.advance(case_id)
        for case_id in await self._holds.without_suit(await self._files.sued()):
            await self.advance(case_id)

    async def advance(self, case_id: str, by: Caller = SERVICE) -> CaseFile:
        """Do what can be done now for this case; returns the resulting case."""
        while True:
            state = await self._cases.read(case_id)
            provisional = state.provisional
            if provisional is not None and provisional.state == "placing":
                fence = await self._holds.raise_fence(("case", case_id))
                await self._reach(provisional, fence)
            elif provisional is not None and provisional.state == "ending":
                await self._holds.raise_fence(("case", case_id))
            elif state.suit == "filing":
                for hold in await self._holds.of_case(case_id):
                    await self._holding.sue(hold.hold_id, by)
            elif state.suit == "filed" and await self._holds.without_suit([case_id]):
                for hold in await self._holds.of_case(case_id):
                    await self._holding.sue(hold.hold_id, by)
                continue
            else:
                return state
            await self._done(state)

    async def _done(self, read: CaseFile) -> None:
        """Note that this step was done, unless the case has changed meanwhile."""

        async def decide(state: CaseFile) -> Change[CaseFile] | None:
            provisional = state.provisional
            if state.version != read.version:
                return None
            if provisional is not None and provisional.state == "placing":
                return Change(state.preserving(provisional.placed()))
            if provisional is not None and provisional.state == "ending":
                return Change(state.preserving(provisional.ended()))
            return Change(state.suit_filed())

        cause = derived_id(read.record_id, f"preserved:{read.version}")
        await self._cases.change(read.record_id, cause, decide)

    async def _reach(self, provisional: ProvisionalHold, fence: int) -> None:
        """Write into the records that are being ordered now by somebody who may have looked before
        the fence was raised. A set that begins later looks later."""

        async def decide(state: InventoryRecord) -> Change[InventoryRecord] | None:
            if state.stage != "in_review" or not provisional.covers(state) or state.fence >= fence:
                return None
            found = evaluate(state, await self._holds.standing(fence), self._clock.now())
            return Change(found.record, found.events)

        for set_id in await self._dispositions.with_status(["ordering"], SETS_AT_ONCE):
            disposition = await self._dispositions.get(set_id)
            if disposition is not None:
                for chunk in chunks([each.record_id for each in disposition.records]):
                    await self._records.change_each(causes(chunk, self._ids), decide)

    async def _held(self, caller: Caller, state: CaseFile, record_ids: Sequence[str]) -> None:
        """Place the hold of these records, and write it into each of them."""
        case_id, asked_at = state.record_id, state.asked_at
        if asked_at is None:
            raise ValueError("a case that was never received")
        sued = state.suit is not None
        # A case that was opened again holds its records anew: their first hold may be released.
        again = f"{len(state.reopenings)}:" if state.reopenings else ""
        name = f"case {case_id}"
        hold = Hold(
            hold_id=derived_id(case_id, f"records:{again}{','.join(sorted(record_ids))}"),
            name=name,
            # The same for every kind of case, so that a hold does not tell it.
            kind="public_records_request",
            authority=name,
            case_id=case_id,
            record_ids=tuple(record_ids),
            earliest_release_at=None if sued else asked_at + self._keep_for,
            suit_at=state.suit_at,
            placed_by=caller.sub,
            placed_at=self._clock.now(),
        )
        placed = await self._holding.place(hold, caller)
        if placed.state != "in_force":
            raise RefusedError("changed", "The hold of these records was released before.")

    def _step(
        self,
        after: CaseFile,
        step: str,
        caller: Caller,
        at: datetime,
        codes: Collection[str] = (),
        records: int = 0,
    ) -> Outgoing:
        """The event of a step in what the case stops."""
        if after.kind is None:
            raise ValueError("a case that was never received")
        counts = {"records": records} if records else {}
        rules = self._rules.of(after.kind)
        return Outgoing(
            after.recorded(rules, step=step, actor=caller.sub, at=at, codes=codes, counts=counts)
        )

    @property
    def _keep_for(self) -> timedelta:
        return timedelta(days=self._rules.hold_days)

    # -- who sees what

    async def _found(self, caller: Caller, case_id: str) -> CaseFile:
        """The case. For another desk it does not exist."""
        state = await self._cases.read(case_id)
        if state.kind not in self._rules.kinds_at(caller.roles) or not state.exists:
            raise RefusedError("unknown_case", "There is no such case at your desk.")
        return state

    async def _seen(self, caller: Caller, case_id: str, *, only_overdue: bool = False) -> Preserved:
        """What a case at the caller's desk stops, or any case that supervisors must know of."""
        if not {*SUPERVISORS} & {*caller.roles}:
            return await self._preserved(await self._found(caller, case_id))
        state = await self._cases.read(case_id)
        found = await self._preserved(state) if state.exists else None
        at_desk = found is not None and state.kind in self._rules.kinds_at(caller.roles)
        if found is None or not (at_desk or found.overdue or (found.holds and not only_overdue)):
            raise RefusedError("unknown_case", "There is no such case at your desk.")
        return found

    async def _preserved(self, state: CaseFile) -> Preserved:
        provisional = state.provisional
        unbounded = provisional is not None and provisional.standing and provisional.bounds is None
        due_at = self._due_at(state) if unbounded else None
        overdue = due_at is not None and self._clock.now() >= due_at
        return Preserved(state, await self._holds.of_case(state.record_id), due_at, overdue)

    def _due_at(self, state: CaseFile) -> datetime:
        """When the case must have bounds. It counts from the opening, since an older date of
        receipt would make a letter that was found late overdue at once."""
        if state.provisional is None:
            raise ValueError("a case without a provisional hold")
        days = self._rules.bounds_business_days
        return self._business_days.end_of(days, state.provisional.placed_at, self._zone)


def _standing(state: CaseFile) -> ProvisionalHold:
    if state.provisional is None or not state.provisional.standing or not state.exists:
        raise RefusedError("bounds", "The case has no provisional hold any more.")
    return state.provisional
