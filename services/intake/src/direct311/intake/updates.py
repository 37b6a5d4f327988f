"""Updates: a request's public history, line by line, as those see it who ask for what is new."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from direct311.intake.request import Note
from direct311.schemas import events as ev


@dataclass(frozen=True, slots=True)
class Update:
    """One note of a request. `status`: the request's own after it, which a comment leaves alone."""

    update_id: str
    record_id: str
    service_code: str
    status: ev.RequestStatus
    note: Note


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody adds to a request through a client.

    `key`: the client's id of it, under which it is taken once. `said`: a status in the client's
    word. `contact_left_out`: contact data of the sender came with it, and were not read: the county
    collects them with a request alone.
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
    """Those written at `since` or later and before `until`."""
    return [each for each in updates if since <= each.note.at < until]
