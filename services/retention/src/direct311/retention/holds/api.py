"""Holds over HTTP."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from direct311.redaction import redact_reference
from direct311.retention.api import READERS, CallerOf, Id, Limit, Reason
from direct311.retention.holds.domain import Hold, HoldQuery
from direct311.retention.holds.handlers.holding import Holding
from direct311.retention.holds.handlers.scopes import Scopes
from direct311.retention.holds.ports import HoldableRecords, Holds
from direct311.retention.holds.wire import HoldScope
from direct311.runtime.access import reasons
from direct311.runtime.access.rules import Caller
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import PROBLEMS, require
from direct311.runtime.text import Title
from direct311.schemas import Model, RecordId
from direct311.schemas import events as ev

INLINE_CHUNKS: Final = 10
"""How much of a hold is written before the answer; the loop does the rest."""
Name = Annotated[str, Field(max_length=500), Title]
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


class HoldOrder(Model, extra="forbid", json_schema_extra=_EITHER):
    """Either `record_ids` or `query`; new records that match a query join automatically.
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
            raise PydanticCustomError("invalid", "Give record_ids or query, not both.")
        return self


WITHHELD: Final = "withheld"
"""Instead of who placed or released the hold of a case."""


class HoldView(Hold):
    """`placing` until it is written into every matching record, then `in_force`. `records_held`:
    how many records it is written into now. For the hold of a case, `placed_by` and `released_by`
    are `withheld`."""

    records_held: int


class HoldPage(Model):
    holds: tuple[HoldView, ...]
    next: str | None = None


def router(
    holding: Holding,
    scopes: Scopes,
    holds: Holds,
    records: HoldableRecords,
    ids: Ids,
    clock: Clock,
    caller_of: CallerOf,
) -> APIRouter:
    """All about holds."""
    api = APIRouter(prefix="/v1/holds", tags=["holds"], responses=PROBLEMS)
    who = Depends(caller_of)

    async def shown(hold: Hold) -> HoldView:
        return _hold(hold, await records.held([hold.hold_id]))

    @api.post("", status_code=201, response_model_exclude_none=True)
    async def place(body: HoldOrder, caller: Annotated[Caller, who]) -> HoldView:
        """Place a hold. It has no end date: it stays in force until somebody releases it. A query
        with a name that no record has is refused, unless it is `for_later`."""
        require(caller, "custodian", "counsel")
        query = HoldQuery(**body.query.model_dump()) if body.query else None
        if query is not None and not body.for_later:
            await scopes.check(query)
        hold = Hold(
            hold_id=ids.new(),
            name=body.name,
            kind=body.kind,
            authority=redact_reference(body.authority).text,
            record_ids=body.record_ids or (),
            query=query,
            placed_by=caller.sub,
            placed_at=clock.now(),
        )
        return await shown(await holding.place(hold, caller, chunks=INLINE_CHUNKS))

    @api.get("", response_model_exclude_none=True)
    async def listed(
        caller: Annotated[Caller, who],
        standing: bool = True,
        cursor: Annotated[RecordId | None, Query()] = None,
        limit: Limit = 100,
    ) -> HoldPage:
        """The holds in force or, with `standing=false`, all holds ever placed."""
        require(caller, *READERS)
        found = await holds.page(cursor, limit + 1, standing=standing)
        page = found[:limit]
        held = await records.held([each.hold_id for each in page])
        return HoldPage(
            holds=tuple(_hold(each, held) for each in page),
            next=page[-1].hold_id if len(found) > limit else None,
        )

    @api.get("/{hold_id}", response_model_exclude_none=True)
    async def one(hold_id: Id, caller: Annotated[Caller, who]) -> HoldView:
        """One hold, and the records for which it came too late."""
        require(caller, *READERS)
        found = await holds.get(hold_id)
        if found is None:
            raise RefusedError("unknown_hold", "There is no such hold.")
        return await shown(found)

    @api.post("/{hold_id}/release", response_model_exclude_none=True)
    async def release(hold_id: Id, body: Reason, caller: Annotated[Caller, who]) -> HoldView:
        """Release a hold. The person who placed it may not do this."""
        require(caller, "counsel", "records_officer")
        return await shown(
            await holding.release(hold_id, caller, body.reason, chunks=INLINE_CHUNKS)
        )

    return api


def _hold(hold: Hold, held: Mapping[str, int]) -> HoldView:
    shown = hold.model_dump()
    if hold.case_id is not None:
        # Whose work the case is would say which kind it is.
        shown |= {"placed_by": WITHHELD, "released_by": hold.released_by and WITHHELD}
    return HoldView(**shown, records_held=held.get(hold.hold_id, 0))
