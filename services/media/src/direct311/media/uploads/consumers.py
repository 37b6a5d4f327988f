"""Which events bring uploads, and how a batch of events is processed."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from direct311.media.record import RecordMedia
from direct311.media.uploads.handlers import TakeUploads
from direct311.runtime.messaging.broker import Process, Received
from direct311.runtime.messaging.records import EventProcessor, Handler, on
from direct311.schemas import Event
from direct311.schemas import events as ev
from direct311.schemas.model import Model

TOPICS = ("request.created", "request.updated")

Failed = Sequence[tuple[Event[Model], Exception]]


def handlers(take: TakeUploads) -> dict[type[Model], Handler[RecordMedia]]:
    """What a request says about its uploads and its protection."""
    return dict(
        (
            on(ev.RequestCreated, take.on_created),
            on(ev.RequestUpdated, take.on_updated),
        )
    )


def taking(
    processor: EventProcessor[RecordMedia],
    discard: Callable[[Iterable[str]], Awaitable[None]],
    side_by_side: int,
) -> Process:
    """Processes a consumer's batch: records with uploads in parallel, all others in one bulk.

    Uploaded bytes are discarded once their outcome is recorded. If that fails, the batch is
    delivered again, changes nothing and discards them.
    """
    free = asyncio.Semaphore(side_by_side)

    async def apply(events: Sequence[Event[Model]]) -> Failed:
        async with free:
            return await processor.apply(events)

    async def process(batch: Sequence[Received]) -> Failed:
        lanes: dict[str, list[Event[Model]]] = {}
        for item in batch:
            lanes.setdefault(item.event.subject, []).append(item.event)
        quick: list[Event[Model]] = []
        slow: list[list[Event[Model]]] = []
        for lane in lanes.values():
            if any(map(uploads_of, lane)):
                slow.append(lane)
            else:
                quick += lane
        parts = [part for part in (quick, *slow) if part]
        results = await asyncio.gather(*map(apply, parts), return_exceptions=True)
        failed: list[tuple[Event[Model], Exception]] = []
        for result in results:
            if isinstance(result, BaseException):
                raise result
            failed += result
        lost = {id(event) for event, _ in failed}
        for lane in slow:
            await discard(u for event in lane if id(event) not in lost for u in uploads_of(event))
        return failed

    return process


def uploads_of(event: Event[Model]) -> list[str]:
    """The ids of the uploads that an event lists."""
    data = event.data
    if isinstance(data, ev.RequestCreated | ev.RequestUpdated):
        return [upload.upload_id for upload in data.uploads]
    return []
