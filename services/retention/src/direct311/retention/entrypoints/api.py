"""The HTTP face: review, holds, dispositions, certificates."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field, model_validator

from direct311.redaction import redact_reference
from direct311.retention.domain.certificates import Content, Statement, digest
from direct311.retention.domain.dispositions import Disposition
from direct311.retention.domain.holds import Hold, HoldQuery
from direct311.retention.domain.inventory import (
    Held,
    InventoryRecord,
    Receipt,
    RetentionRules,
    Said,
    Stage,
)
from direct311.retention.handlers.certify import Certification
from direct311.retention.handlers.expiry import Expiry
from direct311.retention.handlers.holding import Holding
from direct311.retention.handlers.inventory import SAYERS, Outcomes
from direct311.retention.handlers.review import Review
from direct311.retention.handlers.scopes import Scopes
from direct311.retention.ports import Dispositions, Holds, Inventory, Position, Seal
from direct311.runtime.access import reasons
from direct311.runtime.access.roles import ROLES
from direct311.runtime.access.rules import Caller
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import NUMBER, PROBLEMS, require
from direct311.runtime.http.parameters import (
    AskedDay,
    AskedInstant,
    GivenDay,
    cursor_of,
    in_order,
    read_cursor,
)
from direct311.runtime.text import Title
from direct311.schemas import Instant, Model, OnDate, RecordId
from direct311.schemas import events as ev
from direct311.schemas.model import DepartmentCode

READERS: Final = ROLES.records
COUNTERS: Final = ROLES.record_counts
INLINE_CHUNKS: Final = 10
"""So much of a hold is written before the answer; the loop does the rest."""

CallerOf = Callable[[Request], Awaitable[Caller]]
Name = Annotated[str, Field(max_length=500), Title]
Limit = Annotated[int, Query(ge=1, le=500)]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before")]
Id = Annotated[RecordId, Path()]


# ---------------------------------------------------------------- what is asked


class ExpiryQuestion(Model, extra="forbid"):
    """`as_of`: today unless said otherwise. `dry_run`: lists and changes nothing; the default
    where `as_of` lies in the future. `cursor` and `limit`: the page of a dry run."""

    as_of: AskedDay | None = None
    # Strict: a 0 is no decision to change anything.
    dry_run: Annotated[bool, Field(strict=True)] | None = None
    cursor: Annotated[str, Field(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=500), NUMBER] = 100


class Proposal(Model, extra="forbid"):
    """These records, or the first `limit` of the queue that are under no hold. `as_of`: only what
    is eligible by that day."""

    record_ids: Annotated[tuple[RecordId, ...], Field(min_length=1, max_length=1000)] | None = None
    limit: Annotated[int, Field(ge=1, le=1000), NUMBER] = 500
    as_of: AskedDay | None = None


class Approval(Model, extra="forbid"):
    """`set_hash`: of the set that was reviewed."""

    set_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Reason(Model, extra="forbid"):
    reason: reasons.Reason


_EITHER: dict[str, Any] = {
    "oneOf": [
        {
            "required": ["record_ids"],
            "properties": {"record_ids": {"type": "array"}, "query": {"type": "null"}},
        },
        {
            "required": ["query"],
            "properties": {"query": {"type": "object"}, "record_ids": {"type": "null"}},
        },
    ]
}
_SOMETHING: dict[str, Any] = {
    "anyOf": [
        {"required": ["service_codes"], "properties": {"service_codes": {"minItems": 1}}},
        *(
            {"required": [name], "properties": {name: {"type": "string"}}}
            for name in ("municipality", "department", "since", "until")
        ),
    ]
}


class HoldScope(HoldQuery, json_schema_extra=_SOMETHING):
    """At least one criterion, and some time between `since` and `until`."""

    service_codes: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=40)], ...], Field(max_length=500)
    ] = ()
    municipality: Annotated[str, Field(max_length=100), Title] | None = None
    department: DepartmentCode | None = None
    since: AskedInstant | None = None
    until: AskedInstant | None = None

    @model_validator(mode="after")
    def _something(self) -> "HoldScope":
        if not self.model_dump(exclude_none=True, exclude_defaults=True):
            raise ValueError("say at least one criterion")
        in_order(self.since, self.until, inclusive=False)
        return self


class HoldOrder(Model, extra="forbid", json_schema_extra=_EITHER):
    """Either `record_ids` or `query`; new records that match a query join by themselves.
    `for_later`: the query may name a type, municipality or department that no record has yet."""

    name: Name
    kind: ev.HoldKind
    authority: reasons.Authority
    record_ids: Annotated[tuple[RecordId, ...], Field(min_length=1, max_length=10_000)] | None = (
        None
    )
    query: HoldScope | None = None
    # Strict, as a 1 is no decision either.
    for_later: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _one(self) -> "HoldOrder":
        if (self.record_ids is None) == (self.query is None):
            raise ValueError("either record_ids or query")
        return self


class Outcome(Model, extra="forbid"):
    """What the work has come to, in the words of the assignments. `closed_on`: when the case that
    it stands for (hearing, citation, suit) was closed, or the time for its appeal was over; left
    away it is open, or as it was said before. `null`: open again."""

    outcome: Annotated[str, Field(max_length=60)]
    closed_on: GivenDay | None = None


# ---------------------------------------------------------------- what is answered


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


class DispositionView(Disposition):
    """`set_hash` is SHA-256 over the sorted lines `<record id>:<version>\\n`."""


class DispositionPage(Model):
    """The newest first."""

    dispositions: tuple[DispositionView, ...]
    next: str | None = None


class HoldView(Hold):
    """`placing` until it is written into every record that matches, then `in_force`.
    `records_held`: into how many it is written now."""

    records_held: int


class HoldPage(Model):
    holds: tuple[HoldView, ...]
    next: str | None = None


class CertificateView(Content):
    """`sha256`: of all other fields as JSON with sorted keys, no white space, UTF-8."""

    sha256: str


class StatementView(Statement):
    """`sha256` as of a certificate; `signature` (Ed25519, hex) is of its 32 bytes."""

    sha256: str
    keyid: str
    signature: str


class CountsView(Model):
    """Records of the inventory by state; those destroyed stay in it."""

    total: int
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class UseCases:
    """What the router calls."""

    inventory: Inventory
    holds: Holds
    dispositions: Dispositions
    rules: RetentionRules
    outcomes: Outcomes
    expiry: Expiry
    holding: Holding
    scopes: Scopes
    review: Review
    certification: Certification
    seal: Seal
    ids: Ids
    clock: Clock


def router(use: UseCases, caller_of: CallerOf) -> APIRouter:
    """All that retention answers."""
    api = APIRouter(prefix="/v1", responses=PROBLEMS)
    api.include_router(_records(use, caller_of))
    api.include_router(_dispositions(use, caller_of))
    api.include_router(_holds(use, caller_of))
    api.include_router(_certificates(use, caller_of))
    return api


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


def _dispositions(use: UseCases, caller_of: CallerOf) -> APIRouter:
    api = APIRouter(prefix="/dispositions", tags=["dispositions"])
    who = Depends(caller_of)

    @api.post("", status_code=201, response_model_exclude_none=True)
    async def propose(body: Proposal, caller: Annotated[Caller, who]) -> DispositionView:
        """Propose an exact set of records for destruction. What cannot be proposed is left out,
        with the reason."""
        require(caller, "custodian")
        return _disposition(
            await use.review.propose(caller.sub, body.record_ids, body.limit, body.as_of)
        )

    @api.get("", response_model_exclude_none=True)
    async def listed(
        caller: Annotated[Caller, who],
        cursor: Annotated[RecordId | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=50)] = 20,
    ) -> DispositionPage:
        """The disposition sets, the newest first."""
        require(caller, *READERS)
        found = await use.dispositions.page(cursor, limit + 1)
        page = found[:limit]
        return DispositionPage(
            dispositions=tuple(_disposition(each) for each in page),
            next=page[-1].disposition_id if len(found) > limit else None,
        )

    @api.get("/{disposition_id}", response_model_exclude_none=True)
    async def one(disposition_id: Id, caller: Annotated[Caller, who]) -> DispositionView:
        """One set: what is in it, what was left out and why, how far it is."""
        require(caller, *READERS)
        return _disposition(await use.review.get(disposition_id))

    @api.post("/{disposition_id}/approve", response_model_exclude_none=True)
    async def approve(
        disposition_id: Id, body: Approval, caller: Annotated[Caller, who]
    ) -> DispositionView:
        """Order the destruction of exactly the set that the hash names, as another person than the
        custodian. What is held, or has changed since, is left out with the reason. 503 while the
        events of the other services are not taken in."""
        require(caller, "records_officer")
        return _disposition(await use.review.approve(disposition_id, caller.sub, body.set_hash))

    @api.post("/{disposition_id}/reject", response_model_exclude_none=True)
    async def reject(
        disposition_id: Id, body: Reason, caller: Annotated[Caller, who]
    ) -> DispositionView:
        """Put the records back in line."""
        require(caller, "records_officer", "custodian")
        return _disposition(await use.review.reject(disposition_id, caller.sub, body.reason))

    return api


def _holds(use: UseCases, caller_of: CallerOf) -> APIRouter:
    api = APIRouter(prefix="/holds", tags=["holds"])
    who = Depends(caller_of)

    async def shown(hold: Hold) -> HoldView:
        return _hold(hold, await use.inventory.held([hold.hold_id]))

    @api.post("", status_code=201, response_model_exclude_none=True)
    async def place(body: HoldOrder, caller: Annotated[Caller, who]) -> HoldView:
        """Place a hold. It has no end date: it stands until somebody releases it. A query with a
        name that no record has is refused, unless it is `for_later`."""
        require(caller, "custodian", "counsel")
        query = HoldQuery(**body.query.model_dump()) if body.query else None
        if query is not None and not body.for_later:
            await use.scopes.check(query)
        hold = Hold(
            hold_id=use.ids.new(),
            name=body.name,
            kind=body.kind,
            authority=redact_reference(body.authority).text,
            record_ids=body.record_ids or (),
            query=query,
            placed_by=caller.sub,
            placed_at=use.clock.now(),
        )
        return await shown(await use.holding.place(hold, chunks=INLINE_CHUNKS))

    @api.get("", response_model_exclude_none=True)
    async def listed(
        caller: Annotated[Caller, who],
        standing: bool = True,
        cursor: Annotated[RecordId | None, Query()] = None,
        limit: Limit = 100,
    ) -> HoldPage:
        """The holds that stand, or with `standing=false` all that ever were."""
        require(caller, *READERS)
        found = await use.holds.page(cursor, limit + 1, standing=standing)
        page = found[:limit]
        held = await use.inventory.held([each.hold_id for each in page])
        return HoldPage(
            holds=tuple(_hold(each, held) for each in page),
            next=page[-1].hold_id if len(found) > limit else None,
        )

    @api.get("/{hold_id}", response_model_exclude_none=True)
    async def one(hold_id: Id, caller: Annotated[Caller, who]) -> HoldView:
        """One hold, and the records for which it came too late."""
        require(caller, *READERS)
        found = await use.holds.get(hold_id)
        if found is None:
            raise RefusedError(404, "unknown_hold", "There is no such hold.")
        return await shown(found)

    @api.post("/{hold_id}/release", response_model_exclude_none=True)
    async def release(hold_id: Id, body: Reason, caller: Annotated[Caller, who]) -> HoldView:
        """Release a hold, as another person than the one who placed it."""
        require(caller, "counsel", "records_officer")
        return await shown(
            await use.holding.release(hold_id, caller.sub, body.reason, chunks=INLINE_CHUNKS)
        )

    return api


def _certificates(use: UseCases, caller_of: CallerOf) -> APIRouter:
    api = APIRouter(tags=["certificates"])
    who = Depends(caller_of)

    @api.get("/certificates/{certificate_id}", response_model_exclude_none=True)
    async def certificate(certificate_id: Id, caller: Annotated[Caller, who]) -> CertificateView:
        """A certificate of destruction, or its supplement."""
        require(caller, *READERS, "service")
        content, sha256 = await use.certification.certificate(certificate_id)
        return CertificateView(**content.model_dump(), sha256=sha256)

    @api.get("/compliance", response_model_exclude_none=True)
    async def compliance(
        caller: Annotated[Caller, who],
        fiscal_year: Annotated[
            int, Query(ge=2000, le=2200, description="called after the year in which it ends")
        ],
    ) -> StatementView:
        """The yearly compliance statement: what was disposed of, by item, signed."""
        require(caller, *READERS)
        statement = await use.certification.statement(fiscal_year, caller.sub)
        sha256 = digest(statement)
        return StatementView(
            **statement.model_dump(),
            sha256=sha256,
            keyid=use.seal.keyid,
            signature=use.seal.sign_bytes(bytes.fromhex(sha256)).hex(),
        )

    return api


def _record(record: InventoryRecord, rules: RetentionRules) -> RecordView:
    known = record.model_dump(exclude={"holds", "stage"})
    parts = tuple(
        ComponentView(**part.model_dump(exclude={"on"}), eligible_on=part.on)
        for part in rules.parts(record)
    )
    return RecordView(**known, state=record.stage, components=parts, holds=record.held_by)


def _disposition(disposition: Disposition) -> DispositionView:
    return DispositionView.model_validate(disposition.model_dump())


def _hold(hold: Hold, held: Mapping[str, int]) -> HoldView:
    return HoldView(**hold.model_dump(), records_held=held.get(hold.hold_id, 0))


def _cursor(record: InventoryRecord) -> str | None:
    """Of the queue; what is in it has its day."""
    return cursor_of(record.eligible_on, record.record_id) if record.eligible_on else None


def _position(cursor: str | None, field: str) -> Position | None:
    """:raises RefusedError: 422, it is no cursor of ours."""
    return None if cursor is None else read_cursor(cursor, field)
