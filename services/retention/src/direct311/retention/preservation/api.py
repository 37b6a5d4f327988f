"""What a case stops, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from direct311.retention.api import CallerOf, Id
from direct311.retention.cases.wire import BoundsScope
from direct311.retention.holds.domain import Bounds, HoldState
from direct311.retention.preservation.domain import CaseTask
from direct311.retention.preservation.handlers import SUPERVISORS, Preservation, Preserved
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import PROBLEMS, require
from direct311.schemas import Instant, Model, RecordId


class IdentifiedRecords(Model, extra="forbid"):
    """`complete`: these are the last records, so the provisional hold ends once they are held. With
    no record at all: none was found."""

    record_ids: Annotated[tuple[RecordId, ...], Field(max_length=500)] = ()
    # Strict, as a 1 is no decision.
    complete: Annotated[bool, Field(strict=True)] = False


class CaseHold(Model):
    """`records`: how many it names. `too_late`: those whose destruction had been ordered before.
    Nobody releases it before `earliest_release_at`, or after `suit_at` without a court's order."""

    hold_id: str
    state: HoldState
    records: int
    too_late: tuple[str, ...]
    placed_at: Instant
    earliest_release_at: Instant | None = None
    suit_at: Instant | None = None


class PreservationView(Model):
    """`provisional`: whether the case stops destruction before its records are identified; absent
    for a case from before there was such a hold. Without `bounds` it stops all destruction, and
    must have them by `bounds_due_at`."""

    case_id: str
    provisional: bool | None = None
    bounds: Bounds | None = None
    bounds_due_at: Instant | None = None
    overdue: bool
    suit_at: Instant | None = None
    holds: tuple[CaseHold, ...]


class CaseTasks(Model):
    tasks: tuple[CaseTask, ...]


def router(preservation: Preservation, desks: tuple[str, ...], caller_of: CallerOf) -> APIRouter:
    """All about what cases stop. `desks`: the roles that have a desk."""
    api = APIRouter(prefix="/v1", tags=["cases"], responses=PROBLEMS)
    who = Depends(caller_of)
    readers = tuple(dict.fromkeys((*desks, *SUPERVISORS)))

    @api.get("/case-tasks", response_model_exclude_none=True)
    async def tasks(caller: Annotated[Caller, who]) -> CaseTasks:
        """Cases at your desk that need bounds, or an answer to a message or a notice of a suit, and
        holds of cases that may be released now: at most 500 of each. Records officers and counsel
        see the bounds and holds that are overdue at any desk."""
        require(caller, *readers)
        return CaseTasks(tasks=tuple(await preservation.tasks(caller)))

    @api.get("/cases/{case_id}/preservation", response_model_exclude_none=True)
    async def look(case_id: Id, caller: Annotated[Caller, who]) -> PreservationView:
        """What a case stops: its provisional hold, its bounds, its holds."""
        require(caller, *readers)
        return _view(await preservation.look(caller, case_id))

    @api.put("/cases/{case_id}/bounds", response_model_exclude_none=True)
    async def bound(
        case_id: Id, body: BoundsScope, caller: Annotated[Caller, who]
    ) -> PreservationView:
        """Set or change within what the case stops destruction until its records are identified.
        A records officer may do this once it is overdue."""
        require(caller, *desks, "records_officer")
        return _view(await preservation.bound(caller, case_id, body.bounds()))

    @api.post("/cases/{case_id}/records", response_model_exclude_none=True)
    async def identify(
        case_id: Id, body: IdentifiedRecords, caller: Annotated[Caller, who]
    ) -> PreservationView:
        """Hold records for the case: at least 30 days from the written request, then until somebody
        else releases the hold. May be repeated."""
        require(caller, *desks)
        return _view(
            await preservation.identify(caller, case_id, body.record_ids, complete=body.complete)
        )

    @api.post("/cases/{case_id}/suit", response_model_exclude_none=True)
    async def sue(case_id: Id, caller: Annotated[Caller, who]) -> PreservationView:
        """Somebody sued: every hold of the case lasts until a court's order. May be repeated."""
        require(caller, *desks)
        return _view(await preservation.sue(caller, case_id))

    return api


def _view(found: Preserved) -> PreservationView:
    provisional = found.case.provisional
    return PreservationView(
        case_id=found.case.record_id,
        provisional=None if provisional is None else provisional.standing,
        bounds=None if provisional is None else provisional.bounds,
        bounds_due_at=found.bounds_due_at,
        overdue=found.overdue,
        suit_at=found.case.suit_at,
        holds=tuple(
            CaseHold(
                hold_id=each.hold_id,
                state=each.state,
                records=len(each.record_ids),
                too_late=each.too_late,
                placed_at=each.placed_at,
                earliest_release_at=each.earliest_release_at,
                suit_at=each.suit_at,
            )
            for each in found.holds
        ),
    )
