"""Expiry, the queue of the review, and disposition sets over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from direct311.retention.api import READERS, CallerOf, Id, Reason, UseCases
from direct311.retention.review.domain import Disposition
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import NUMBER, require
from direct311.runtime.http.parameters import (
    AskedDay,
)
from direct311.schemas import Model, RecordId


class Proposal(Model, extra="forbid"):
    """These records, or the first `limit` of the queue that are under no hold. `as_of`: only what
    is eligible by that day."""

    record_ids: Annotated[tuple[RecordId, ...], Field(min_length=1, max_length=1000)] | None = None
    limit: Annotated[int, Field(ge=1, le=1000), NUMBER] = 500
    as_of: AskedDay | None = None


class Approval(Model, extra="forbid"):
    """`set_hash`: of the set that was reviewed."""

    set_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class DispositionView(Disposition):
    """`set_hash` is SHA-256 over the sorted lines `<record id>:<version>\\n`."""


class DispositionPage(Model):
    """The newest first."""

    dispositions: tuple[DispositionView, ...]
    next: str | None = None


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


def _disposition(disposition: Disposition) -> DispositionView:
    return DispositionView.model_validate(disposition.model_dump())
