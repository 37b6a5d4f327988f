"""Intake as routing sees it: where the departments' notes are sealed."""

from direct311.routing.job import Job
from direct311.routing.work.domain import NoteRefusedError, OriginalNote
from direct311.runtime.errors import TransientError


async def no_job(_: str) -> Job | None:
    """No other request exists."""
    return None


class InMemoryWorkNotes:
    """`WorkNotes`: `sealed` maps record, department and update id to a note. While `away`, it takes
    no note. `gone` has ids of requests that do not exist, or not any more."""

    def __init__(self) -> None:
        self.sealed: dict[tuple[str, str, str], OriginalNote] = {}
        self.calls = 0
        self.away = False
        self.gone: set[str] = set()

    async def seal(self, note: OriginalNote) -> None:
        self.calls += 1
        if self.away:
            raise TransientError("intake does not seal notes now")
        if note.record_id in self.gone:
            raise NoteRefusedError("unknown_record", "There is no such request here.")
        key = (note.record_id, note.department, note.update_id)
        if self.sealed.setdefault(key, note) != note:
            raise NoteRefusedError("malformed", "The update's id was used for another note.")
