"""What the departments' work needs from outside."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from direct311.routing.job import Job, Why
from direct311.routing.work.domain import OriginalNote
from direct311.runtime.messaging.pages import Page
from direct311.runtime.messaging.state import Change


class Redactor(Protocol):
    """Removes from free text the personal information that rules can find."""

    def __call__(self, text: str) -> str: ...


class WorkNotes(Protocol):
    """Where the departments' notes are kept in their original words."""

    async def seal(self, note: OriginalNote) -> None:
        """Seal a note with its request. A repeat with the same words changes nothing.

        :raises NoteRefusedError: it will never be sealed. :raises TransientError: try again later.
        """
        ...


JobOf = Callable[[str], Awaitable[Job | None]]
"""Another job, to which an update refers; `None` if routing does not know it."""

HandOver = Callable[[Job, str, Why], Change[Job]]
"""Gives a job to another department, because the one that has it says so. Raises `NotReadyError`
if the job cannot move now."""


class RoutedPages(Protocol):
    """What was routed to each department, in its order."""

    async def read(self, department: str, start: int | None, most: int, wait: float) -> Page:
        """At most `most` events from the place `start` on, or from the oldest. If there are none,
        waits up to `wait` seconds.

        :raises DeletedError, NoSuchPlaceError: there is no such place any more, or yet.
        """
        ...


class Jobs(Protocol):
    """Jobs in their current state."""

    async def get(self, record_id: str) -> Job | None: ...

    async def queue(
        self, department: str, statuses: Sequence[str], after: str | None, limit: int
    ) -> Sequence[Job]:
        """A department's jobs in these states, oldest first, after a record id."""
        ...

    async def count(self) -> dict[str, int]:
        """Jobs by state; those that are not routed yet under `waiting`."""
        ...
