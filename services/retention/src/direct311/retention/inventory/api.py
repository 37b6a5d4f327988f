"""Records of the inventory over HTTP, and what their work has come to."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends
from pydantic import Field

from direct311.retention.api import READERS, CallerOf, Cursor, Id, Limit, UseCases
from direct311.retention.inventory.domain import RetentionRules
from direct311.retention.inventory.handlers import SAYERS
from direct311.retention.inventory.ports import Position
from direct311.retention.record import Held, InventoryRecord, Receipt, Said, Stage
from direct311.runtime.access.roles import ROLES
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import NUMBER, require
from direct311.runtime.http.parameters import (
    AskedDay,
    GivenDay,
    cursor_of,
    read_cursor,
)
from direct311.schemas import Instant, Model, OnDate

COUNTERS: Final = ROLES.record_counts


class ExpiryQuestion(Model, extra="forbid"):
    """`as_of`: today unless said otherwise. `dry_run`: lists and changes nothing; the default
    where `as_of` lies in the future. `cursor` and `limit`: the page of a dry run."""

    as_of: AskedDay | None = None
    # Strict: a 0 is no decision to change anything.
    dry_run: Annotated[bool, Field(strict=True)] | None = None
    cursor: Annotated[str, Field(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=500), NUMBER] = 100


class Outcome(Model, extra="forbid"):
    """What the work has come to, in the words of the assignments. `closed_on`: when the case that
    it stands for (hearing, citation, suit) was closed, or the time for its appeal was over; left
    away it is open, or as it was said before. `null`: open again."""

    outcome: Annotated[str, Field(max_length=60)]
    closed_on: GivenDay | None = None


class ComponentView(Model):
    """A part of a record under one item: the `request`, or by its name an outcome. `waiting`: its
    clock has not started, and `reason` says for what it waits."""

    component: str
    item: int | None = None
    state: Literal["dated", "waiting", "permanent"]
    trigger: str | None = None
    trigger_on: OnDate | None = None
    eligible_on: OnDate | None = None
    reason: str


class RecordView(Model):
    """Where a record stands. `reason` says why it is kept so long; `decided_by` is the item that
    decides, absent where nothing is scheduled. `components`: all that have a say in it, until it
    is ordered; one that waits, or is permanent, keeps the record whatever the others say.
    `outcomes_said`: by whom an outcome, or the closing of its case, was said, the newest last. Days
    are of the county's calendar."""

    record_id: str
    version: int
    state: Stage
    service_code: str | None = None
    municipality: str | None = None
    department: str | None = None
    status: str | None = None
    outcomes: tuple[str, ...]
    outcomes_closed_on: Mapping[str, OnDate]
    outcomes_said: tuple[Said, ...]
    received_at: Instant | None = None
    closed_at: Instant | None = None
    media_files: int
    media_bytes: int
    known_holders: tuple[str, ...]
    items: tuple[int, ...]
    decided_by: int | None = None
    trigger: str | None = None
    trigger_on: OnDate | None = None
    eligible_on: OnDate | None = None
    reason: str | None = None
    components: tuple[ComponentView, ...]
    schedule_version: str | None = None
    holds: tuple[Held, ...]
    order_id: str | None = None
    ordered_at: Instant | None = None
    receipts: tuple[Receipt, ...]
    certificate_id: str | None = None


class RecordPage(Model):
    """By eligible date. `next` is the cursor of the following page."""

    records: tuple[RecordView, ...]
    next: str | None = None


class ExpiryView(RecordPage):
    """`count`: made eligible, or of a dry run the records on this page."""

    as_of: OnDate
    dry_run: bool
    count: int


class CountsView(Model):
    """Records of the inventory by state; those destroyed stay in it."""

    total: int
    counts: Mapping[str, int]


def _records(use: UseCases, caller_of: CallerOf) -> APIRouter:
    api = APIRouter(tags=["records"])
    who = Depends(caller_of)

    @api.get("/records/{record_id}", response_model_exclude_none=True)
    async def record(record_id: Id, caller: Annotated[Caller, who]) -> RecordView:
        """One record of the inventory: items, trigger, eligible date, holds, state."""
        require(caller, *READERS)
        found = await use.inventory.get(record_id)
        if found is None:
            raise RefusedError(404, "unknown_record", "The inventory has no such record.")
        return _record(found, use.rules)

    @api.post("/records/{record_id}/outcomes", response_model_exclude_none=True)
    async def outcome(record_id: Id, body: Outcome, caller: Annotated[Caller, who]) -> RecordView:
        """Say what the work has come to (a citation, a hearing, an incident): adds its items. Say
        it again with `closed_on` once its case is closed: until then the record waits. An inspector
        says it of what the own department has."""
        require(caller, *SAYERS, "inspector")
        reopened = "closed_on" in body.model_fields_set and body.closed_on is None
        found = await use.outcomes.add(
            caller, record_id, body.outcome, use.ids.new(), body.closed_on, reopened=reopened
        )
        return _record(found, use.rules)

    @api.get("/counts")
    async def counts(caller: Annotated[Caller, who]) -> CountsView:
        """How many records the inventory has in which state."""
        require(caller, *COUNTERS)
        found = await use.inventory.count()
        return CountsView(total=sum(found.values()), counts=dict(found))

    @api.post("/expiry", response_model_exclude_none=True)
    async def expire(body: ExpiryQuestion, caller: Annotated[Caller, who]) -> ExpiryView:
        """Make eligible whose time has come, as the daily step does; or look ahead."""
        require(caller, "custodian")
        as_of = body.as_of or use.expiry.today
        dry_run = as_of > use.expiry.today if body.dry_run is None else body.dry_run
        if dry_run:
            after = _position(body.cursor, "body.cursor")
            found = await use.expiry.look(as_of, after, body.limit)
        else:
            found = await use.expiry.run(as_of)
        return ExpiryView(
            as_of=found.as_of,
            dry_run=found.dry_run,
            count=found.count,
            records=tuple(_record(each, use.rules) for each in found.records),
            next=_cursor(found.records[-1]) if found.more else None,
        )

    @api.get("/review", response_model_exclude_none=True)
    async def queue(
        caller: Annotated[Caller, who], cursor: Cursor = None, limit: Limit = 100
    ) -> RecordPage:
        """Eligible records that wait for review, those under hold too."""
        require(caller, *READERS)
        after = _position(cursor, "query.cursor")
        found = await use.inventory.page("eligible", date.max, after, limit + 1)
        page = found[:limit]
        return RecordPage(
            records=tuple(_record(each, use.rules) for each in page),
            next=_cursor(page[-1]) if len(found) > limit else None,
        )

    return api


def _record(record: InventoryRecord, rules: RetentionRules) -> RecordView:
    known = record.model_dump(exclude={"holds", "stage"})
    parts = tuple(
        ComponentView(**part.model_dump(exclude={"on"}), eligible_on=part.on)
        for part in rules.parts(record)
    )
    return RecordView(**known, state=record.stage, components=parts, holds=record.held_by)


def _cursor(record: InventoryRecord) -> str | None:
    """Of the queue; what is in it has its day."""
    return cursor_of(record.eligible_on, record.record_id) if record.eligible_on else None


def _position(cursor: str | None, field: str) -> Position | None:
    """:raises RefusedError: 422, it is no cursor of ours."""
    return None if cursor is None else read_cursor(cursor, field)
