"""Updates: a request's public history, line by line, as seen by clients that ask for news."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from direct311.intake.request import Note
from direct311.schemas import events as ev


@dataclass(frozen=True, slots=True)
class Update:
    """One note of a request. `status`: the request's status after the note; a comment does not
    change it."""

    update_id: str
    record_id: str
    service_code: str
    status: ev.RequestStatus
    note: Note


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody adds to a request through a client.

    `key`: the client's id for it, under which it is accepted once. `said`: a status in the client's
    words. `contact_left_out`: it came with the sender's contact data, which was not read, because
    the county collects contact data only with a request.
    """

    record_id: str
    key: str
    said: str
    text: str
    media_urls: tuple[str, ...]
    contact_left_out: bool = False


def updates_of(record_id: str, service_code: str, notes: Sequence[Note]) -> Iterator[Update]:
    """The history as updates, oldest first."""
    status: ev.RequestStatus = "received"
    for place, note in enumerate(notes):
        status = note.status or status
        yield Update(
            note.update_id or f"{record_id}-{place}", record_id, service_code, status, note
        )


def written_between(updates: Iterator[Update], since: datetime, until: datetime) -> list[Update]:
    """The updates written at `since` or later and before `until`."""
    return [each for each in updates if since <= each.note.at < until]
