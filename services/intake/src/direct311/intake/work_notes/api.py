"""What routing calls before it accepts a department's update."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from direct311.intake.api_types import CallerOf
from direct311.intake.work_notes.domain import LONGEST_NOTE, HandedNote
from direct311.intake.work_notes.handlers import SealWorkNote
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import PROBLEMS, require
from direct311.schemas import Model, RecordId
from direct311.schemas.model import DepartmentCode, Word

ROUTING = "svc:routing"
OPERATION = "POST /internal/work-notes"


class WorkNoteOrder(Model, extra="forbid"):
    """A department's note, exactly as the department wrote it. `update_id`: the id of the
    department's update."""

    record_id: RecordId
    department: DepartmentCode
    update_id: Annotated[Word, Field(min_length=1)]
    note: Annotated[str, Field(min_length=1, max_length=LONGEST_NOTE)]


class WorkNoteAnswer(Model):
    """The note is sealed with its request."""

    record_id: str
    update_id: str


def work_notes_router(seal: SealWorkNote, caller_of: CallerOf) -> APIRouter:
    """Only for routing, on its own behalf."""
    api = APIRouter(prefix="/internal", responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post(
        "/work-notes",
        status_code=201,
        responses={
            200: {"model": WorkNoteAnswer, "description": "It was sealed before"},
            404: PROBLEMS[404],
            409: PROBLEMS[409],
            410: PROBLEMS[410],
        },
    )
    async def seal_work_note(
        caller: Annotated[Caller, who], order: WorkNoteOrder, response: Response
    ) -> WorkNoteAnswer:
        """Seal a department's note with its request. Repeating the call with the same note changes
        nothing (200)."""
        require(caller, "service")
        if caller.sub != ROUTING or caller.via is not None:
            raise RefusedError("caller", "Only the routing service may hand over notes.")
        note = HandedNote(order.record_id, order.department, order.update_id, order.note)
        if not await seal(note, caller, OPERATION):
            response.status_code = 200
        return WorkNoteAnswer(record_id=order.record_id, update_id=order.update_id)

    return api
