"""What the other services say about a record, and what the inventory does with it."""

from collections.abc import Mapping
from datetime import date, datetime
from hashlib import sha256
from typing import Any, Final

from direct311.retention.acts import agent, outcome_said
from direct311.retention.holds.domain import UNINCORPORATED, evaluate
from direct311.retention.holds.ports import Holds
from direct311.retention.inventory.domain import RetentionRules
from direct311.retention.record import InventoryRecord, Receipt, ReleasedWith, Said
from direct311.retention.writes import causes, chunks
from direct311.runtime.access.rules import Caller, works_for
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import RefusedError, RuntimeFaultError
from direct311.runtime.messaging.records import EventProcessor, Handler, on
from direct311.runtime.messaging.state import Change
from direct311.schemas import Event, encode, signed_bytes
from direct311.schemas import events as ev
from direct311.schemas.model import Model

Changed = Change[InventoryRecord] | None


class ReceiptError(RuntimeFaultError):
    """A holder answers an order that it was not given, or in another holder's name."""


class Inventorying:
    """Handlers of the events that retention consumes. An ordered record accepts only receipts."""

    def __init__(self, rules: RetentionRules, holds: Holds, clock: Clock) -> None:
        self._rules = rules
        self._holds = holds
        self._clock = clock

    def handlers(self) -> Mapping[type[Model], Handler[Any]]:
        return dict(
            (
                on(ev.RequestCreated, self.created),
                on(ev.RequestUpdated, self.updated),
                on(ev.LocationResolved, self.located),
                on(ev.MediaStored, self.media_stored),
                on(ev.MediaRejected, self.media_rejected),
                on(ev.RequestRouted, self.routed),
                on(ev.RequestRecalled, self.recalled),
                on(ev.WorkUpdated, self.worked),
                on(ev.WorkUpdatedV2, self.worked),
                on(ev.RecordDestroyed, self.destroyed),
            )
        )

    async def created(self, state: InventoryRecord, event: Event[ev.RequestCreated]) -> Changed:
        said = event.data
        after = state.known_to("intake")
        # The two topics have no common order: an update's content is newer.
        if seen(state, "request.updated") < said.version:
            after = after.requested(
                service_code=said.service_code,
                status=said.status,
                received_at=said.received_at,
                closed_at=None,
                at=said.received_at,
            )
        return await self._follow(state, after)

    async def updated(self, state: InventoryRecord, event: Event[ev.RequestUpdated]) -> Changed:
        said = event.data
        after = state.known_to("intake").requested(
            service_code=said.service_code,
            status=said.status,
            received_at=said.received_at,
            closed_at=said.closed_at,
            at=said.updated_at,
        )
        return await self._follow(state, after)

    async def located(self, state: InventoryRecord, event: Event[ev.LocationResolved]) -> Changed:
        said = event.data
        municipality = UNINCORPORATED if said.unincorporated else said.municipality
        after = state.known_to("geo").located(municipality)
        return await self._follow(state, after)

    async def media_stored(self, state: InventoryRecord, event: Event[ev.MediaStored]) -> Changed:
        return await self._follow(state, state.known_to("media").illustrated(event.data.media))

    async def media_rejected(
        self, state: InventoryRecord, event: Event[ev.MediaRejected]
    ) -> Changed:
        # The file is not kept, but its rejection is: media holds a part of the record.
        return await self._follow(state, state.known_to("media"))

    async def routed(self, state: InventoryRecord, event: Event[ev.RequestRouted]) -> Changed:
        said = event.data
        if seen(state, "request.recalled") > said.version:
            return None
        after = state.known_to("routing").assigned(said.department)
        return await self._follow(state, after)

    async def recalled(self, state: InventoryRecord, event: Event[ev.RequestRecalled]) -> Changed:
        said = event.data
        after = state.known_to("routing")
        # A recall that takes nothing back is marked as seen too, for a routing that is still to
        # come.
        if state.department == said.department and seen(state, "request.routed") <= said.version:
            after = after.recalled()
        return await self._follow(state, after)

    async def worked(
        self, state: InventoryRecord, event: Event[ev.WorkUpdated] | Event[ev.WorkUpdatedV2]
    ) -> Changed:
        # Intake says whether it closes the request; here routing has mentioned the record.
        return await self._follow(state, state.known_to("routing"))

    async def destroyed(self, state: InventoryRecord, event: Event[ev.RecordDestroyed]) -> Changed:
        said = event.data
        if event.source != f"/direct311/{said.holder}":
            raise ReceiptError("a receipt in another holder's name")
        if state.open_to_change or state.order_id != said.order_id:
            raise ReceiptError("a receipt for no order of ours")
        if any(receipt.holder == said.holder for receipt in state.receipts):
            return None
        message = encode(event)
        receipt = Receipt(
            **said.model_dump(exclude={"record_id", "order_id"}),
            event_id=event.id,
            sha256=sha256(signed_bytes(message.headers, message.body)).hexdigest(),
        )
        return Change(state.answered_by(receipt))

    async def case_filed(
        self,
        state: InventoryRecord,
        *,
        version: int,
        received_at: datetime,
        closed_at: datetime | None,
    ) -> Changed:
        """What the case desk says about a case file in this version of it."""
        if version < state.case_file_version:
            return None
        after = state.known_to("retention").case_filed(
            version=version, received_at=received_at, closed_at=closed_at
        )
        return None if after == state else await self._follow(state, after)

    async def _follow(self, state: InventoryRecord, after: InventoryRecord) -> Changed:
        if not state.open_to_change:
            return None
        after = self._rules.determined(after)
        if state.version and after.scope == state.scope:
            return Change(after)
        standing = await self._holds.standing(state.fence)
        found = evaluate(after, standing, self._clock.now())
        return Change(found.record, found.events)


def seen(state: InventoryRecord, name: str) -> int:
    """The highest version of an event that was handled."""
    return state.seen.get(name, 0)


SAYERS: Final = ("custodian", "records_officer", "counsel")
"""Who may report any record's outcome. An inspector may for records of their own department."""


class Outcomes:
    """Facts that become known during and after the work on a request, reported by a person."""

    def __init__(
        self, processor: EventProcessor[InventoryRecord], rules: RetentionRules, clock: Clock
    ) -> None:
        self._processor = processor
        self._rules = rules
        self._clock = clock
        self.known = tuple(each.outcome for each in rules.assignments.outcomes)

    async def add(
        self,
        caller: Caller,
        record_id: str,
        outcome: str,
        cause: str,
        closed_on: date | None = None,
        *,
        reopened: bool = False,
    ) -> InventoryRecord:
        """Add the outcome's items to the record, or state for an existing outcome when its case was
        closed, or that it is open again. The record keeps who said what, and so does the audit log.

        :param closed_on: without it, the earlier statement stays.
        :raises RefusedError: an outcome that the assignments do not have, or a day on which
            its case cannot have been closed; the record is not the department's, does not exist,
            or its destruction is ordered.
        """
        if outcome not in self.known:
            raise RefusedError(
                "outcome", f"outcome must be one of: {', '.join(self.known)}.", field="outcome"
            )

        async def decide(state: InventoryRecord) -> Changed:
            if not (set(SAYERS) & set(caller.roles) or works_for(caller, state.department)):
                # This also applies to a record that does not exist.
                raise RefusedError(
                    "department", "Only the department that has the request may report its outcome."
                )
            if state.version == 0:
                raise RefusedError("unknown_record", "The inventory has no such record.")
            if not state.open_to_change:
                raise RefusedError("ordered", "The record's destruction has been ordered.")
            if closed_on is not None:
                self._check(outcome, closed_on, state)
            closed = dict(state.outcomes_closed_on)
            if closed_on is not None:
                closed[outcome] = closed_on
            elif reopened:
                closed.pop(outcome, None)
            after = state.come_to(outcome, closed)
            if after == state:
                return None
            said = Said(
                outcome=outcome,
                closed_on=closed.get(outcome),
                by=caller.sub,
                at=self._clock.now(),
            )
            acts = outcome_said(
                agent(caller),
                said.at,
                cause=cause,
                record_id=record_id,
                outcome=outcome,
                closed_on=said.closed_on,
                legal_basis=self._rules.assignments.citation,
            )
            return Change(self._rules.determined(after.attested(said)), acts)

        return await self._processor.change(record_id, cause, decide)

    def _check(self, outcome: str, closed_on: date, state: InventoryRecord) -> None:
        """Too early a day would release the record too early."""
        received = state.received_at
        if not self._rules.is_case(outcome):
            wanted = "Leave closed_on out: this outcome has no case of its own."
        elif closed_on > self._rules.day(self._clock.now()):
            wanted = "closed_on must be today or earlier; report it once the case is closed."
        elif received is not None and closed_on < self._rules.day(received):
            wanted = "closed_on must not be before the day on which the request was received."
        else:
            return
        raise RefusedError("closed_on", wanted, field="closed_on")


class CaseFiles:
    """The case desk's files in the inventory: each is a scheduled record."""

    def __init__(
        self, processor: EventProcessor[InventoryRecord], inventorying: Inventorying, ids: Ids
    ) -> None:
        self._processor = processor
        self._inventorying = inventorying
        self._ids = ids

    async def put(
        self, case_id: str, *, version: int, received_at: datetime, closed_at: datetime | None
    ) -> bool:
        """Enter a case file, that it was closed, or that it is open again; may be repeated. Returns
        false if its destruction has been ordered."""

        async def decide(state: InventoryRecord) -> Changed:
            return await self._inventorying.case_filed(
                state, version=version, received_at=received_at, closed_at=closed_at
            )

        record = await self._processor.change(case_id, self._ids.new(), decide)
        return record.open_to_change

    async def went_out(self, case_id: str, packages: Mapping[str, str]) -> None:
        """Remember that records went out with a case, each in a package (SHA-256, hex), since the
        case's file is about to be destroyed. May be repeated. A record whose destruction is
        certified needs it no more."""

        async def decide(state: InventoryRecord) -> Changed:
            if not state.version or state.stage == "certified":
                return None
            released = ReleasedWith(case_id=case_id, package=packages[state.record_id])
            after = state.went_out(released)
            return Change(after) if after != state else None

        for chunk in chunks(sorted(packages)):
            await self._processor.change_each(causes(chunk, self._ids), decide)
