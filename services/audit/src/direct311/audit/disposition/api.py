"""`/v1/holds`: legal holds on entries of the log."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from direct311.audit.disposition.domain.holds import LogHold
from direct311.audit.disposition.handlers.holds import LogHolding
from direct311.audit.question import Question
from direct311.runtime.access.reasons import Authority, Reason
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS, require
from direct311.runtime.text import Title
from direct311.schemas import Instant, Model, RecordId
from direct311.schemas import events as ev

Name = Annotated[str, Field(max_length=200), Title]


class HoldOrder(Model, extra="forbid"):
    """What is held, and on whose authority."""

    name: Name
    kind: ev.HoldKind
    authority: Authority
    filter: Question = Question()


class ReleaseOrder(Model, extra="forbid"):
    reason: Reason


class HoldState(Model):
    """A hold. `too_late`: records, and months of entries without a record, that were already being
    destroyed when it was placed."""

    hold_id: str
    name: str
    kind: ev.HoldKind
    authority: str
    filter: dict[str, object]
    placed_by: str
    placed_at: Instant
    too_late: tuple[str, ...]
    released_by: str | None
    released_at: Instant | None
    release_reason: str | None


class HoldList(Model):
    holds: tuple[HoldState, ...]


def holds_router(holding: LogHolding, caller: Callable[[Request], Awaitable[Caller]]) -> APIRouter:
    """A custodian places, another person releases. Each call is an event of the log."""
    router = APIRouter(prefix="/v1/holds", tags=["holds"], responses=PROBLEMS)
    Who = Annotated[Caller, Depends(caller)]  # noqa: N806 - a type

    @router.post("", status_code=201)
    async def place(who: Who, order: HoldOrder) -> HoldState:
        """Keep all matching entries, including later ones, until somebody releases the hold."""
        require(who, "custodian")
        hold = await holding.place(
            who, order.name, order.kind, order.authority, order.filter.filter
        )
        return _state(hold)

    @router.get("")
    async def all_holds(who: Who) -> HoldList:
        """All holds, including released ones, in the order in which they were placed."""
        require(who, "custodian", "records_officer")
        return HoldList(holds=tuple(map(_state, await holding.all(who))))

    @router.post("/{hold_id}/release")
    async def release(hold_id: RecordId, who: Who, order: ReleaseOrder) -> HoldState:
        """End a hold. The person who placed it may not do this."""
        require(who, "custodian", "records_officer")
        return _state(await holding.release(who, hold_id, order.reason))

    return router


def _state(hold: LogHold) -> HoldState:
    given = hold.model_dump(exclude={"filter", "cleared"})
    return HoldState(**given, filter=hold.filter.model_dump(mode="json", exclude_defaults=True))
