"""What the handlers need of the outside: inbox, log, keys, objects, and other services."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from direct311.audit.domain import (
    Dimension,
    Exempt,
    Facts,
    Fetch,
    Filter,
    Group,
    IndexWalk,
    Rebuild,
)
from direct311.audit.domain.holds import LogHold
from direct311.runtime.errors import RefusedError
from direct311.verifier.event import Event
from direct311.verifier.merkle import HASH_SIZE, Frontier
from direct311.verifier.note import VerifierKey
from direct311.verifier.submission import Submission
from direct311.verifier.tiles import Tile


class FencedError(Exception):
    """Another sequencer has taken over since this one last did."""


class StaleStageError(Exception):
    """What a sequencer before this one was still writing stands in the way."""


class KeyGoneError(Exception):
    """A record was destroyed while entries about it were on their way into the log."""


class MissingTileError(Exception):
    """The log has no such tile, or not yet."""


class IndexLostError(Exception):
    """The query index is gone or is being made again: it cannot say what the log has."""


class ExistsOtherwiseError(Exception):
    """An object that must hold these bytes is there and holds others."""


class NotPublishedError(RefusedError):
    """No checkpoint, or none that reaches so far, has been cosigned by a quorum yet."""

    def __init__(self) -> None:
        super().__init__(
            503,
            "not_published",
            "The log's witnesses have not cosigned it so far yet; try again.",
            retry_after=2,
        )


class WitnessConflictError(Exception):
    """The witness has cosigned another tree last than was thought; `size` entries."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class WitnessRefusedError(Exception):
    """The witness does not cosign; `status` as in c2sp.org/tlog-witness."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class WitnessSilentError(Exception):
    """The witness does not answer."""


# ---------------------------------------------------------------- inbox


@dataclass(frozen=True, slots=True)
class Arrival:
    """A signed event that waits for its place in the log."""

    event: Event
    facts: Facts


@dataclass(frozen=True, slots=True)
class Parcel:
    """Events that arrived together. `id` sorts by arrival; `offsets`: topic:partition → offset."""

    id: str
    arrived_at: datetime
    arrivals: tuple[Arrival, ...]
    offsets: Mapping[str, int]


class Inbox(Protocol):
    """Events that are durable here and not yet in the log."""

    async def put(self, parcels: Sequence[Parcel]) -> None: ...

    async def take(self, limit: int) -> Sequence[Parcel]:
        """The oldest parcels, left where they are: at most `limit` events, or one parcel."""
        ...

    async def discard(self, parcel_ids: Sequence[str]) -> None: ...

    async def length(self) -> int:
        """How many parcels wait."""
        ...

    async def oldest(self) -> datetime | None:
        """When the parcel that has waited longest arrived."""
        ...


# ---------------------------------------------------------------- log


@dataclass(frozen=True)
class Head:
    """The log as it stands: everything below `size`, and nothing else, is in it.

    `epoch` counts take-overs. `frontier` and `edge` (the tiles that are not full) are all that
    appending needs of the tree. `logged_at`: time of the last entry. `offsets`: how far the topics
    are in the log, for people.
    """

    epoch: int = 0
    frontier: Frontier = field(default_factory=Frontier)
    edge: Mapping[Tile, bytes] = field(default_factory=dict)
    logged_at: datetime | None = None
    offsets: Mapping[str, int] = field(default_factory=dict)

    @property
    def last_leaf(self) -> bytes | None:
        """The last entry's hash; `None` where the log ends with a full tile, or is empty."""
        for tile, hashes in self.edge.items():
            if tile.level == 0:
                return hashes[-HASH_SIZE:]
        return None

    @property
    def size(self) -> int:
        return self.frontier.size

    @property
    def root(self) -> bytes:
        return self.frontier.root


@dataclass(frozen=True, slots=True)
class Row:
    """An entry: `index` in the log, `data` (the sealed leaf), its hash, and what is in clear.

    `facts` is `None` once they were forgotten with the record that they spoke of. `tag` vouches for
    all of it: see `tags`.
    """

    index: int
    event_id: str
    logged_at: datetime
    data: bytes
    leaf: bytes
    facts: Facts | None
    tag: bytes = b""


Tagger = Callable[[Row], bytes]
"""The tag of a row, from all else that it says."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What those who watch the log see of an entry; `facts` as in `Row`."""

    index: int
    event_id: str
    logged_at: datetime
    facts: Facts | None


class Log(Protocol):
    """The log's head in the database, and what the object store does not have yet.

    That is the log's *edge*: the sealed entries of bundles that are not full, or not written. The
    query index (`Entries`) is no part of the log, and can be made again from edge and store.
    """

    async def take_over(self) -> Head:
        """Raise the epoch by one: from then on no earlier epoch can commit."""
        ...

    async def sweep(self, head: Head) -> None:
        """Remove what epochs below `head`'s staged at or above its size and never committed."""
        ...

    async def head(self) -> Head: ...

    async def known(self, event_ids: Sequence[str], size: int) -> set[str]:
        """Those of the events that have an entry below `size`, by the query index."""
        ...

    async def whole_since(self, head: Head) -> datetime | None:
        """Since when the query index has all entries below the head; `None` where it has not.

        The sign: a mark that lies in the index itself and goes with it, and the last entry of the
        log. A single entry that was removed does not show here; `IndexWatch` finds it.
        """
        ...

    async def mark_whole(self, at: datetime) -> None: ...

    async def mark_lost(self) -> None:
        """From now on `whole_since` is `None`."""
        ...

    async def stage(self, epoch: int, rows: Sequence[Row], tiles: Mapping[Tile, bytes]) -> None:
        """Write entries, to index and edge, and full hash tiles above the head, where nobody sees
        them yet.

        :raises StaleStageError: an earlier epoch's write came in between.
        """
        ...

    async def move(self, old: Head, new: Head) -> None:
        """Make `new` the head if it is still `old`: the one step that commits.

        :raises FencedError: it is not, or its epoch is another's.
        """
        ...

    async def waiting_tiles(self, after: int, size: int) -> Mapping[Tile, bytes]:
        """Hash tiles that became full when the log grew from `after` to `size` entries, and are
        not known to be in the object store."""
        ...

    async def waiting_tile(self, tile: Tile) -> bytes | None: ...

    async def forget_tile(self, tile: Tile) -> None:
        """It is in the object store."""
        ...

    async def data(self, start: int, end: int) -> Sequence[bytes]:
        """The entries [start, end), sealed, from the edge.

        :raises MissingTileError: they are not all there: the object store has them.
        """
        ...

    async def edge_start(self) -> int:
        """The first entry that the edge holds; the head's size or more where it is empty."""
        ...

    async def release(self, before: int) -> None:
        """The object store has all entries below `before`: the edge may forget them."""
        ...


# ---------------------------------------------------------------- published


@dataclass(frozen=True, slots=True)
class Publication:
    """A head of the log that was published, as `note`: signed by the log's keys and cosigned."""

    head: Head
    note: str
    at: datetime


class Published(Protocol):
    """What the log stands by to the outside."""

    async def current(self) -> Publication:
        """The published checkpoint. :raises NotPublishedError: there is none yet."""
        ...

    async def covering(self, size: int) -> Publication:
        """One over at least `size` entries, waited for a moment; where none comes, the current one.

        :raises NotPublishedError: there is none yet.
        """
        ...


class Publications(Protocol):
    """Where the published checkpoint is kept."""

    async def latest(self) -> Publication | None: ...

    async def keep(self, publication: Publication) -> bool:
        """Make it the published one; false where that is of a larger tree, or of another of the
        same size."""
        ...


class Witness(Protocol):
    """Another party that cosigns the log; `name` is the policy's."""

    @property
    def name(self) -> str: ...

    @property
    def key(self) -> VerifierKey: ...

    async def add_checkpoint(self, submission: Submission) -> str:
        """The witness's signature lines, unverified.

        :raises WitnessConflictError:
        :raises WitnessRefusedError:
        :raises WitnessSilentError:
        """
        ...


class Entries(Protocol):
    """The query index. Every answer lies below the head's size that is given."""

    async def find(
        self,
        query: Filter,
        *,
        before: int,
        floor: int,
        limit: int,
        exempt: Exempt | None = None,
        oldest_first: bool = False,
    ) -> Sequence[Row]:
        """At most `limit` entries in [floor, before) that fit, newest first unless told otherwise.

        `exempt`: how withheld entries are met; without it they are like others.
        """
        ...

    async def groups(
        self,
        query: Filter,
        by: Sequence[Dimension],
        *,
        before: int,
        floor: int,
        exempt: Exempt | None = None,
    ) -> Sequence[Group]:
        """The entries in [floor, before) that fit, counted by these dimensions (none: one group of
        all, or none where nothing fits). Entries whose facts were forgotten do not count."""
        ...

    async def sightings(self, start: int, end: int) -> Sequence[Sighting]:
        """The entries [start, end) in order, without what they hold."""
        ...

    async def by_event(self, event_id: str, size: int) -> Row | None: ...

    async def first_logged(self, at: datetime, size: int) -> int:
        """The first entry that was logged at `at` or later; `size` if there is none."""
        ...

    async def rows(self, start: int, end: int) -> Sequence[Row]:
        """What it says of the entries [start, end), in order; some may be missing."""
        ...

    async def indexes_of(self, event_ids: Sequence[str], before: int) -> Mapping[str, int]:
        """The entries below `before` that these events have."""
        ...

    async def restore(self, rows: Sequence[Row], epoch: int) -> None:
        """Make it say this; what says so already stays as it is.

        `rows` are in order, and their events have no other entry in the log.
        """
        ...

    async def forget(self, record_id: str, tag: Tagger) -> int:
        """Remove what is in clear of the entries about a record, but of disposition; how many. Of
        those too that are only staged so far.

        An entry that is about other records too keeps the rest. The ids of the events are kept
        apart from the index (`forgotten`): the day may come when no key opens their entries.
        """
        ...

    async def forget_rows(self, rows: Sequence[Row], tag: Tagger) -> None:
        """Remove what is in clear of these entries, as `forget` does."""
        ...

    async def forgotten(self, start: int, end: int) -> Mapping[int, str]:
        """The ids of events whose entries [start, end) were forgotten in part or whole."""
        ...

    async def mark_opened(self, event_ids: Sequence[str], size: int) -> set[str]:
        """Note that the fetches which these events authorised have happened; those that exist."""
        ...

    async def not_opened(self, start: int, end: int, limit: int) -> tuple[int, list[str]]:
        """Events of the entries [start, end) that authorised a fetch which did not happen: how
        many, and the ids of at most `limit`."""
        ...

    async def opened(self, start: int, end: int) -> int:
        """How many events of the entries [start, end) led to a fetch."""
        ...


# ---------------------------------------------------------------- keys


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A body key as it is kept.

    `reference`: 16 random bytes, by which leaves name it. `wrapped` (under `kek_id`) is empty once
    the key was destroyed. The key of an entry about several records is not wrapped by a
    key-encryption key: `copies` holds it wrapped under the key of each of them, by name.
    """

    name: str
    reference: bytes
    created_at: datetime
    kek_id: str = ""
    wrapped: bytes = b""
    copies: Mapping[str, bytes] = field(default_factory=dict)


class BodyKeys(Protocol):
    """The keys of the log's bodies."""

    async def named(self, names: Iterable[str]) -> Mapping[str, StoredKey]:
        """By name; destroyed ones too, without what they held."""
        ...

    async def destroyed(self, names: Iterable[str]) -> set[str]:
        """Those of the records whose key was destroyed."""
        ...

    async def insert_new(self, keys: Sequence[StoredKey]) -> None:
        """Store those whose name is new, and leave the others as they are."""
        ...

    async def fetch_for(
        self, references: Iterable[bytes], event_id: str, at: datetime
    ) -> Mapping[bytes, StoredKey]:
        """By reference, after the access event's id was left on each."""
        ...


class MonthKeys(Protocol):
    """The keys of entries about no record."""

    async def months(self) -> Sequence[StoredKey]:
        """Those that live, oldest first."""
        ...

    async def leave(self, name: str) -> None:
        """Note that a month's key is being destroyed."""
        ...

    async def stay(self, name: str) -> None:
        """Note that it is not after all."""
        ...

    async def destroy(self, record_id: str) -> bool:
        """Destroy a key by its name; whether there was one."""
        ...


# ---------------------------------------------------------------- holds


class LogHolds(Protocol):
    """Holds on entries of the log."""

    async def add(self, hold: LogHold) -> None: ...

    async def replace(self, hold: LogHold) -> None: ...

    async def get(self, hold_id: str) -> LogHold | None: ...

    async def all(self) -> Sequence[LogHold]:
        """Every hold, in the order of placing."""
        ...

    async def standing(self) -> Sequence[LogHold]:
        """Those that were not released."""
        ...


class Leaving(Protocol):
    """What is being destroyed at this moment."""

    async def records(self) -> Sequence[str]: ...

    async def months(self) -> Sequence[StoredKey]: ...


# ---------------------------------------------------------------- outside


class Objects(Protocol):
    """The log's files under lock."""

    async def put_new(self, path: str, body: bytes, content_type: str, at: datetime) -> None:
        """Store an object that cannot be changed or removed; the same bytes again change nothing.

        :raises ExistsOtherwiseError: it is there with other bytes.
        """
        ...

    async def get(self, path: str) -> bytes:
        """:raises MissingTileError: there is none."""
        ...

    async def empty(self) -> bool:
        """Whether no entry of a log was ever stored."""
        ...

    async def checkpoints(self) -> Sequence[str]:
        """Paths of the checkpoints under lock, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class Persons:
    """Records sorted by the person that they are of; those whose person cannot be told, since they
    hold neither a telephone number nor an e-mail address. `senders`: by record, how many others
    have at most left contact data with a comment on it."""

    persons: Sequence[Sequence[str]]
    without_contact: Sequence[str]
    senders: Mapping[str, int] = field(default_factory=dict)


class People(Protocol):
    """The only service that can tell which records are a person's."""

    async def resolve(
        self, person: Mapping[str, str], reference: str, authorization: str
    ) -> Sequence[str]:
        """The ids of the records of a phone number, e-mail address or name.

        `authorization` is the auditor's own header: the search is an access of theirs.
        """
        ...

    async def group(self, record_ids: Sequence[str], reference: str, authorization: str) -> Persons:
        """Which of these records are the same person's; an access of the auditor's too. What does
        not exist any more is in neither list."""
        ...


@dataclass(frozen=True, slots=True)
class FetchPage:
    """Fetches, whether these are all, and the producers of the service that run."""

    fetches: tuple[Fetch, ...]
    complete: bool
    producers: tuple[str, ...]


class KeyFetches(Protocol):
    """One service's account of the keys that it has fetched."""

    @property
    def service(self) -> str: ...

    async def after(self, at: datetime) -> FetchPage: ...

    async def confirm(self, fetches: Sequence[Fetch]) -> None:
        """Their events are in the log: nobody needs to hear of them again."""
        ...


class Watch(Protocol):
    """What reconciliation remembers between its rounds."""

    async def cursor(self, service: str) -> datetime | None: ...

    async def advance(self, service: str, at: datetime) -> None: ...

    async def keep(self, fetches: Sequence[Fetch]) -> None:
        """Fetches whose event is not in the log, or not yet."""
        ...

    async def kept(self, after: str, limit: int) -> Sequence[Fetch]:
        """Those kept, by their `key`, that follow this key; the first ones after the empty one."""
        ...

    async def overdue(self, before: datetime, limit: int) -> Sequence[Fetch]:
        """Those kept that happened before an instant, longest ago first."""
        ...

    async def late(self, before: datetime) -> Mapping[str, int]:
        """How many of those kept happened before an instant, by service."""
        ...

    async def drop(self, event_ids: Sequence[str]) -> None:
        """Forget all fetches under these events."""
        ...

    async def rewind(self) -> None:
        """Forget the cursors: every service is read again from as far back as it tells."""
        ...

    async def place(self, name: str) -> int:
        """How far an observer has come in the log; 0 at first."""
        ...

    async def move_place(self, name: str, index: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers in a row that are not in the log. `since`: when a later one was logged."""

    numbers: range
    since: datetime

    @property
    def size(self) -> int:
        """How many; `len` ends where an index does."""
        return self.numbers.stop - self.numbers.start

    def without(self, number: int) -> tuple["Gap", ...]:
        """What is left when a number has come: one or two, or none."""
        if number not in self.numbers:
            return (self,)
        parts = (range(self.numbers.start, number), range(number + 1, self.numbers.stop))
        return tuple(Gap(part, self.since) for part in parts if part)


@dataclass(frozen=True)
class Numbered:
    """What is known of one producer. `index`: the last entry that was looked at; `missing`: lowest
    first; `void`: numbers that were filled, or that will not come any more; `closed`: how many
    numbers of gaps those are."""

    producer: str
    highest: int = 0
    index: int = -1
    missing: tuple[Gap, ...] = ()
    void: tuple[range, ...] = ()
    closed: int = 0

    @property
    def service(self) -> str:
        return self.producer.partition("/")[0]


class Numbers(Protocol):
    """What is known of each producer's numbers."""

    async def of(self, producers: Iterable[str]) -> Mapping[str, Numbered]: ...

    async def save(self, states: Sequence[Numbered]) -> None: ...

    async def with_gaps(self) -> Sequence[Numbered]:
        """Those of whose numbers one is missing."""
        ...


class Progress(Protocol):
    """What the rebuilding and the watching of the index remember between their steps."""

    async def rebuild(self) -> Rebuild | None:
        """The last one that was asked for."""
        ...

    async def keep_rebuild(self, old: Rebuild | None, new: Rebuild) -> bool:
        """Replace `old` by `new`; whether it was still there."""
        ...

    async def walk(self) -> IndexWalk: ...

    async def keep_walk(self, walk: IndexWalk) -> None: ...


class Alarms(Protocol):
    """Where operators are told."""

    async def raise_alarm(self, kind: str, about: str, detail: str) -> None:
        """Once for each `kind` and `about`, however often it is called."""
        ...
