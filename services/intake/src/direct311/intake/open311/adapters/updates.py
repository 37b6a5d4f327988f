"""The public histories in the requests' collection, found by the hours of their notes.

A listed request has the hours in which something was written to it. A window consists of a few of
these hours, each asked for by equality. An index can fully answer that on every server, which is
not so for a range over the times of a list's members. The cost depends on what the window contains,
not on how old it is.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter

from direct311.intake.request import Note, ServiceRequest
from direct311.intake.updates import Update, updates_of, written_between
from direct311.runtime.pacing import paced
from direct311.runtime.storage.database import Collection, Document, Index

HOUR = timedelta(hours=1)
_INSTANT = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FEW = 500
"""Requests in a step; if one has fewer, the next step is twice as long."""


def noted_fields(request: ServiceRequest) -> Document:
    """The hours by which a listed request's updates are found; empty for a request that is not
    listed."""
    if not request.listed or not request.notes:
        return {}
    return {"noted": sorted({_hour(note.at) for note in request.notes})}


class MongoUpdates:
    """`Updates` over the collection in which the runtime's records are stored."""

    INDEXES = (Index([("noted", 1)], name="noted", sparse=True),)

    def __init__(self, requests: Collection) -> None:
        self._requests = requests

    async def written(self, since: datetime, until: datetime, most: int) -> Sequence[Update]:
        found: list[Update] = []
        step = HOUR
        while since < until and len(found) < most:
            end = min(since + step, until)
            documents = await self._between(since, end)
            together = [
                each
                async for document in paced(documents)
                for each in written_between(_updates(document), since, end)
            ]
            found += sorted(together, key=attrgetter("note.at", "update_id"))
            since = end
            step = step * 2 if len(documents) < FEW else HOUR
        return _whole_seconds(found, most)

    async def _between(self, since: datetime, until: datetime) -> list[Document]:
        hours = list(range(_hour(since), _hour(until - _INSTANT) + 1))
        cursor = self._requests.find({"noted": {"$in": hours}}, {"service_code": 1, "notes": 1})
        return [document async for document in cursor]


def _hour(at: datetime) -> int:
    return (at - _EPOCH) // HOUR


def _updates(document: Document) -> Iterator[Update]:
    notes = [Note.model_validate(each) for each in document["notes"]]
    return updates_of(document["_id"], document["service_code"], notes)


def _whole_seconds(found: list[Update], most: int) -> Sequence[Update]:
    """The first of them, and everything in the last one's second, so that a client that continues
    after it misses nothing."""
    if len(found) <= most:
        return found
    last = found[most - 1].note.at.replace(microsecond=0) + timedelta(seconds=1)
    return [each for each in found if each.note.at < last]
