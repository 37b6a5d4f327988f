"""The departments' updates, besides the events about requests."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from direct311.routing.job import Job
from direct311.routing.work.domain import AnyUpdate
from direct311.routing.work.handlers.taken import Updates
from direct311.routing.work.handlers.unread import NOT_HANDLED, AnswerUnread, Unread
from direct311.runtime.messaging.broker import (
    DeadLetter,
    MisplacedError,
    Process,
    Received,
    Tell,
)
from direct311.runtime.messaging.records import EventProcessor
from direct311.schemas import DecodeError, Event, misplaced, updates_topic
from direct311.schemas.belonging import WRONG_SOURCE
from direct311.schemas.model import Model

GROUP = "routing.updates"
"""The consumer group of the departments' updates. They wait for intake, and nothing else may wait
with them."""


def topics(departments: Iterable[str]) -> list[str]:
    """Each department's answers."""
    return [updates_topic(department) for department in departments]


def process(jobs: EventProcessor[Job], taken: Updates) -> Process:
    """Apply each event to its job.

    A department is identified by the topic it may write to, not by what an update says, and it
    sends only updates. The consumer has checked this (decision 67); since a department could
    destroy a job, it is checked a second time.
    """

    async def apply(batch: Sequence[Received]) -> Sequence[tuple[Event[Model], Exception]]:
        failed: list[tuple[Event[Model], Exception]] = []
        events: list[Event[Model]] = []
        updates: list[Event[Model]] = []
        for item in batch:
            if why := misplaced(item.event, item.topic):
                failed.append((item.event, MisplacedError(why)))
            elif isinstance(item.event.data, AnyUpdate):
                updates.append(item.event)
            else:
                events.append(item.event)
        failed += await jobs.apply(events)
        if updates:
            failed += await taken.take(updates)
        return failed

    return apply


def telling(answer: AnswerUnread) -> Tell:
    """Answers each dead letter of a department's topic on its replies."""

    async def tell(letter: DeadLetter) -> None:
        await answer(unread(letter))

    return tell


def unread(letter: DeadLetter) -> Unread:
    """What a department is told about its message that became a dead letter: the letter's reason,
    and nothing that the message says."""
    error = letter.error
    wrong = letter.unread or isinstance(error, MisplacedError)
    return Unread(
        department=letter.topic.removeprefix(updates_topic("")),
        partition=letter.partition,
        offset=letter.offset,
        update_id=_uuid(letter.headers.get("ce_id", "")),
        code="malformed" if wrong else "not_handled",
        reason=str(error) if wrong else NOT_HANDLED,
        field=_field(letter) if wrong else None,
    )


def _field(letter: DeadLetter) -> str | None:
    if isinstance(letter.error, DecodeError):
        return letter.error.field
    if str(letter.error) == WRONG_SOURCE:
        return "ce_source"
    return "department" if ".department.update." in letter.headers["ce_type"] else "ce_type"


def _uuid(text: str) -> str | None:
    try:
        return str(UUID(text))
    except ValueError:
        return None
