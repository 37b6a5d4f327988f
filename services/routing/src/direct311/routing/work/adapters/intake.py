"""The departments' notes in their original words, at intake."""

from direct311.routing.work.domain import NoteRefusedError, OriginalNote
from direct311.runtime.errors import RuntimeFaultError, TransientError
from direct311.runtime.peers import HttpError, Peer

_REFUSALS = {
    "unknown_record": ("unknown_record", "There is no such request here."),
    "destroyed": ("unknown_record", "There is no such request here."),
    "idempotency_key": ("malformed", "The update's id was used for another note: send a new id."),
    "full": ("malformed", "The request has all the notes that it takes: send it without one."),
}
"""Code and reason for the department, by the code of intake's refusal."""
_PROBLEM = "urn:direct311:problem:"
_NEVER = ("malformed", "not_readable")
"""Codes of intake's refusals that a repeat gets too, and of which no department is the cause."""


class UnsealedNoteError(RuntimeFaultError):
    """Intake cannot seal a note, now or later: the record's key is gone, or the two services do not
    understand each other."""


class IntakeWorkNotes:
    """`WorkNotes` through `POST /internal/work-notes` of intake."""

    def __init__(self, intake: Peer) -> None:
        self._intake = intake

    async def seal(self, note: OriginalNote) -> None:
        """:raises UnsealedNoteError: only an operator can help, so the update becomes a dead
        letter."""
        order = {
            "record_id": note.record_id,
            "department": note.department,
            "update_id": note.update_id,
            "note": note.text,
        }
        try:
            await self._intake.post("/internal/work-notes", order)
        except HttpError as error:
            code = _code(error.problem)
            if code in _REFUSALS:
                raise NoteRefusedError(*_REFUSALS[code]) from None
            if code in _NEVER:
                raise UnsealedNoteError("intake cannot seal a note") from None
            # Also where intake does not let routing in, or does not know this call yet: somebody
            # will mend that, and the department should not have to send its update again.
            raise TransientError("intake does not seal notes now") from None


def _code(problem: object) -> str:
    """The stable code of a problem document, if it is one."""
    named = problem.get("type") if isinstance(problem, dict) else None
    return str(named).removeprefix(_PROBLEM)
