"""A department's updates, applied to their jobs however they arrive, and the answer to one."""

import asyncio
from collections.abc import Sequence

from direct311.routing.job import Answer, Job
from direct311.routing.work.domain import AnyUpdate, Refusal, update_key
from direct311.routing.work.handlers.reported import UNKNOWN
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.records import EventProcessor, Records
from direct311.schemas import Event
from direct311.schemas import events as ev
from direct311.schemas.model import Model

AT_ONCE = 16
"""How many notes are sealed at the same time."""

Failed = Sequence[tuple[Event[Model], Exception]]


class Updates:
    """What departments report. An update for an unknown request gets an answer too, and keeps that
    answer if the request arrives later and the update is repeated."""

    def __init__(
        self,
        jobs: EventProcessor[Job],
        refusals: EventProcessor[Refusal],
        known: Records[Job],
        refused: Records[Refusal],
    ) -> None:
        self._jobs = jobs
        self._refusals = refusals
        self._known = known
        self._refused = refused

    async def take(self, updates: Sequence[Event[Model]]) -> Failed:
        """Accept or refuse each update; returns those that failed for good.

        :raises TransientError: an update must wait. The others are done, and a repeat changes
            nothing about them.
        """
        stored = await self._known.load([event.subject for event in updates])
        active = {each for each, job in stored.items() if job.state.lifecycle == "active"}
        # Also by only the id, as refusals were stored before.
        answered = await self._refused.load(
            [key for each in updates for key in (own(each), each.id)]
        )
        failed = [
            *await self._refuse(
                [each for each in updates if each.subject not in active and each.id not in answered]
            )
        ]
        failed += await self._apply(
            [
                each
                for each in updates
                if each.subject in active and answered.keys().isdisjoint((own(each), each.id))
            ]
        )
        return failed

    async def answer(self, event: Event[ev.DepartmentUpdateV2]) -> Answer:
        """Take one update, and say what its reply says. A repeat gets the answer of the first time.

        :raises RefusedError: its answer is not kept any more. :raises TransientError: it must wait;
            the same update may be sent again.
        """
        update: Event[Model] = event
        for _, error in await self.take([update]):
            raise error
        key = own(update)
        stored = (await self._known.load([event.subject])).get(event.subject)
        if stored is not None and stored.state.lifecycle == "active":
            job = stored.state
            found = next((each for each in reversed(job.answers) if each.key == key), None)
            if found is not None:
                return found
            if key in job.handled_updates:
                raise RefusedError(
                    "answer_gone", "This update was answered before, and the answer is not kept."
                )
        return Answer(
            key=key,
            step=event.data.step,
            code=UNKNOWN.code,
            reason=UNKNOWN.reason,
            field=UNKNOWN.field,
        )

    async def _apply(self, updates: Sequence[Event[Model]]) -> Failed:
        """Apply the updates: for jobs without notes together, and each job with notes by itself, so
        that many notes are sealed at once and one that must wait keeps no other job waiting."""
        noted = {event.subject for event in updates if _has_note(event)}
        lanes: dict[str, list[Event[Model]]] = {}
        for event in updates:
            lanes.setdefault(event.subject if event.subject in noted else "", []).append(event)
        turn = asyncio.Semaphore(AT_ONCE)

        async def lane(events: Sequence[Event[Model]]) -> Failed:
            async with turn:
                return await self._jobs.apply(events)

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

    async def _refuse(self, updates: Sequence[Event[Model]]) -> Failed:
        by_key = {own(event): event for event in updates}
        failed = await self._refusals.apply([_by_its_own_id(event) for event in updates])
        return [(by_key[event.subject], error) for event, error in failed]


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
