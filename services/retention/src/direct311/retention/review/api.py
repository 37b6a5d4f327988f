"""Expiry, the queue of the review, and disposition sets over HTTP."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from direct311.retention.api import READERS, CallerOf, Cursor, Id, Limit, Reason
from direct311.retention.inventory.api import RecordView, record_view
from direct311.retention.inventory.domain import RetentionRules
from direct311.retention.inventory.ports import Inventory, Position
from direct311.retention.record import InventoryRecord
from direct311.retention.review.domain import Disposition
from direct311.retention.review.handlers.expiry import Expiry
from direct311.retention.review.handlers.review import Review
from direct311.retention.review.ports import Dispositions
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import NUMBER, PROBLEMS, require
from direct311.runtime.parameters import AskedDay, cursor_of, read_cursor
from direct311.schemas import Model, OnDate, RecordId
from direct311.schemas import events as ev


class ExpiryQuestion(Model, extra="forbid"):
    """`as_of`: by default today. `dry_run`: lists without changing anything; the default if `as_of`
    is in the future. `cursor` and `limit`: the page of a dry run."""

    as_of: AskedDay | None = None
    # Strict, because a 0 is not a decision to change anything.
    dry_run: Annotated[bool, Field(strict=True)] | None = None
    cursor: Annotated[str, Field(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=500), NUMBER] = 100


class Proposal(Model, extra="forbid"):
    """These records, or the first `limit` in the queue that are under no hold. `as_of`: only
    records eligible by that day."""

    record_ids: Annotated[tuple[RecordId, ...], Field(min_length=1, max_length=1000)] | None = None
    limit: Annotated[int, Field(ge=1, le=1000), NUMBER] = 500
    as_of: AskedDay | None = None


class Approval(Model, extra="forbid"):
    """`set_hash`: the hash of the reviewed set."""

    set_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class RecordPage(Model):
    """By eligible date. `next` is the cursor of the following page."""

    records: tuple[RecordView, ...]
    next: str | None = None


class ExpiryView(RecordPage):
    """`count`: the records made eligible or, for a dry run, the records on this page."""

    as_of: OnDate
    dry_run: bool
    count: int


class DispositionView(Disposition):
    """`set_hash` is SHA-256 over the sorted lines `<record id>:<version>\\n`."""

    # The custodian's session is for the log.
    proposed_as: ev.AccessAgent | None = Field(default=None, exclude=True)


class DispositionPage(Model):
    """Newest first."""

    dispositions: tuple[DispositionView, ...]
    next: str | None = None


def router(
    expiry: Expiry, inventory: Inventory, rules: RetentionRules, caller_of: CallerOf
) -> APIRouter:
    """What is eligible, and what will be."""
    api = APIRouter(prefix="/v1", tags=["records"], responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post("/expiry", response_model_exclude_none=True)
    async def expire(body: ExpiryQuestion, caller: Annotated[Caller, who]) -> ExpiryView:
        """Make due records eligible, as the daily step does; or look ahead."""
        require(caller, "custodian")
        as_of = body.as_of or expiry.today
        dry_run = as_of > expiry.today if body.dry_run is None else body.dry_run
        if dry_run:
            after = _position(body.cursor)
            found = await expiry.look(as_of, after, body.limit)
        else:
            found = await expiry.run(as_of)
        return ExpiryView(
            as_of=found.as_of,
            dry_run=found.dry_run,
            count=found.count,
            records=tuple(record_view(each, rules) for each in found.records),
            next=_cursor(found.records[-1]) if found.more else None,
        )

    @api.get("/review", response_model_exclude_none=True)
    async def queue(
        caller: Annotated[Caller, who], cursor: Cursor = None, limit: Limit = 100
    ) -> RecordPage:
        """Eligible records that wait for review, including those under a hold."""
        require(caller, *READERS)
        after = _position(cursor)
        found = await inventory.page("eligible", date.max, after, limit + 1)
        page = found[:limit]
        return RecordPage(
            records=tuple(record_view(each, rules) for each in page),
            next=_cursor(page[-1]) if len(found) > limit else None,
        )

    return api


def dispositions_router(
    review: Review, dispositions: Dispositions, caller_of: CallerOf
) -> APIRouter:
    """The sets, and the decisions of two people."""
    api = APIRouter(prefix="/v1/dispositions", tags=["dispositions"], responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post("", status_code=201, response_model_exclude_none=True)
    async def propose(body: Proposal, caller: Annotated[Caller, who]) -> DispositionView:
        """Propose an exact set of records for destruction. Records that cannot be proposed are left
        out, with the reason."""
        require(caller, "custodian")
        return _disposition(await review.propose(caller, body.record_ids, body.limit, body.as_of))

    @api.get("", response_model_exclude_none=True)
    async def listed(
        caller: Annotated[Caller, who],
        cursor: Annotated[RecordId | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=50)] = 20,
    ) -> DispositionPage:
        """The disposition sets, newest first."""
        require(caller, *READERS)
        found = await dispositions.page(cursor, limit + 1)
        page = found[:limit]
        return DispositionPage(
            dispositions=tuple(_disposition(each) for each in page),
            next=page[-1].disposition_id if len(found) > limit else None,
        )

    @api.get("/{disposition_id}", response_model_exclude_none=True)
    async def one(disposition_id: Id, caller: Annotated[Caller, who]) -> DispositionView:
        """One set: what is in it, what was left out and why, and its progress."""
        require(caller, *READERS)
        return _disposition(await review.get(disposition_id))

    @api.post("/{disposition_id}/approve", response_model_exclude_none=True)
    async def approve(
        disposition_id: Id, body: Approval, caller: Annotated[Caller, who]
    ) -> DispositionView:
        """Order the destruction of exactly the set that the hash names. The custodian who proposed
        it may not do this. Records that are held or have changed since are left out, with the
        reason. 503 while the service receives no events from the other services."""
        require(caller, "records_officer")
        return _disposition(await review.approve(disposition_id, caller, body.set_hash))

    @api.post("/{disposition_id}/reject", response_model_exclude_none=True)
    async def reject(
        disposition_id: Id, body: Reason, caller: Annotated[Caller, who]
    ) -> DispositionView:
        """Put the records back into the queue."""
        require(caller, "records_officer", "custodian")
        return _disposition(await review.reject(disposition_id, caller, body.reason))

    return api


def _disposition(disposition: Disposition) -> DispositionView:
    return DispositionView.model_validate(disposition.model_dump())


def _cursor(record: InventoryRecord) -> str | None:
    """An item in the queue, which always has an eligible date."""
    return cursor_of(record.eligible_on, record.record_id) if record.eligible_on else None


def _position(cursor: str | None) -> Position | None:
    """:raises RefusedError: it is not one of our cursors."""
    return None if cursor is None else read_cursor(cursor)
