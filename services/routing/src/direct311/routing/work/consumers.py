"""The departments' updates, besides the events about requests."""

import asyncio
from collections.abc import Iterable, Sequence
from uuid import UUID

from direct311.routing.job import Job
from direct311.routing.work.domain import AnyUpdate, Refusal, update_key
from direct311.routing.work.handlers.unread import NOT_HANDLED, AnswerUnread, Unread
from direct311.runtime.messaging.broker import (
    DeadLetter,
    MisplacedError,
    Process,
    Received,
    Tell,
)
from direct311.runtime.messaging.records import EventProcessor, Records
from direct311.schemas import DecodeError, Event, misplaced, updates_topic
from direct311.schemas.belonging import WRONG_SOURCE
from direct311.schemas.model import Model

GROUP = "routing.updates"
"""The consumer group of the departments' updates. They wait for intake, and nothing else may wait
with them."""
AT_ONCE = 16
"""How many notes are sealed at the same time."""


def topics(departments: Iterable[str]) -> list[str]:
    """Each department's answers."""
    return [updates_topic(department) for department in departments]


def process(
    jobs: EventProcessor[Job],
    refusals: EventProcessor[Refusal],
    known: Records[Job],
    refused: Records[Refusal],
) -> Process:
    """Apply each event to its job. An update for an unknown request gets an answer too, and keeps
    that answer if the request arrives later and the update is repeated.

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
            stored = await known.load([event.subject for event in updates])
            active = {each for each, job in stored.items() if job.state.lifecycle == "active"}
            # Also by only the id, as refusals were stored before.
            answered = await refused.load([key for each in updates for key in (own(each), each.id)])
            failed += await _refuse(
                [each for each in updates if each.subject not in active and each.id not in answered]
            )
            failed += await _take(
                [
                    each
                    for each in updates
                    if each.subject in active and answered.keys().isdisjoint((own(each), each.id))
                ]
            )
        return failed

    async def _take(updates: Sequence[Event[Model]]) -> Sequence[tuple[Event[Model], Exception]]:
        """Apply the updates: for jobs without notes together, and each job with notes by itself, so
        that many notes are sealed at once and one that must wait keeps no other job waiting.

        :raises TransientError: an update must wait. The others are done, and a repeat changes
            nothing about them.
        """
        noted = {event.subject for event in updates if _has_note(event)}
        lanes: dict[str, list[Event[Model]]] = {}
        for event in updates:
            lanes.setdefault(event.subject if event.subject in noted else "", []).append(event)
        turn = asyncio.Semaphore(AT_ONCE)

        async def lane(events: Sequence[Event[Model]]) -> Sequence[tuple[Event[Model], Exception]]:
            async with turn:
                return await jobs.apply(events)

        failed: list[tuple[Event[Model], Exception]] = []
        errors: list[BaseException] = []
        for found in await asyncio.gather(*map(lane, lanes.values()), return_exceptions=True):
            if isinstance(found, BaseException):
                errors.append(found)
            else:
                failed += found
        if errors:
            raise errors[0]
        return failed

    async def _refuse(
        updates: Sequence[Event[Model]],
    ) -> Sequence[tuple[Event[Model], Exception]]:
        by_key = {own(event): event for event in updates}
        failed = await refusals.apply([_by_its_own_id(event) for event in updates])
        return [(by_key[event.subject], error) for event, error in failed]

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


def _has_note(event: Event[Model]) -> bool:
    return isinstance(event.data, AnyUpdate) and bool(event.data.note)


def own(event: Event[Model]) -> str:
    """An update's key. Its department chooses its id, and another department may choose the same
    one."""
    if not isinstance(event.data, AnyUpdate):
        raise TypeError("not a department's update")
    return update_key(event.data.department, event.id)


def _by_its_own_id(event: Event[Model]) -> Event[Model]:
    return Event(
        event.id,
        event.source,
        own(event),
        event.time,
        event.data,
        event.traceparent,
        event.keyid,
        event.signature,
    )
