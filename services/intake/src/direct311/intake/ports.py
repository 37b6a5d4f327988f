"""What intake's handlers need of the world."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from typing import Literal, Protocol

from direct311.intake.domain.clients import Client
from direct311.intake.domain.request import ServiceRequest
from direct311.intake.domain.updates import Update
from direct311.intake.domain.uploads import AnnouncedFile, UploadTicket
from direct311.runtime.errors import RuntimeFaultError
from direct311.runtime.records import Write
from direct311.runtime.vault import RecordKey
from direct311.schemas import Model
from direct311.schemas.events import Place, UploadRef


class Submitted(Protocol):
    """What became of submissions, whatever happened to the requests since."""

    async def by_idempotency(self, key: str) -> ServiceRequest | None:
        """The request that has this idempotency key."""
        ...

    async def by_id(self, record_id: str) -> ServiceRequest | None: ...


class Submissions(Submitted, Protocol):
    """Where new requests go."""

    async def keep(self, keys: Sequence[RecordKey]) -> None:
        """Store the keys of records that are to be; must be done before their `insert` begins.

        :raises TransientError: the database did not take them; they may be tried again.
        """
        ...

    async def insert(self, write: Write[ServiceRequest]) -> Literal["new", "repeat"]:
        """Store a request; `repeat` where the idempotency key is taken, and nothing was.

        Returns when the request is durable. Many callers share one write.

        :raises TransientError: the database did not take it; the same ids may be tried again.
        """
        ...

    async def first_under(self, keys: Sequence[str], since: datetime) -> ServiceRequest | None:
        """The first request with one of these idempotency keys that was received since then.

        Many callers share one question.

        :raises TransientError: the database does not answer.
        """
        ...

    async def with_image(self, images: Sequence[str], since: datetime) -> str | None:
        """The id of a request with one of these files that was received since then.

        :raises TransientError: the database does not answer.
        """
        ...


class Recent(Protocol):
    """The contents of the last day. Good enough for a mark: another copy's are known late."""

    def first(self, fingerprint: str, since: datetime) -> str | None:
        """The id of the first request with this content, where it was received since then."""
        ...

    def note(self, fingerprint: str, record_id: str, at: datetime) -> None:
        """A request was received."""
        ...


class Requests(Protocol):
    """Requests as they stand."""

    async def get(self, record_id: str) -> ServiceRequest | None: ...

    async def with_index(self, field: str, values: Sequence[str], limit: int) -> Sequence[str]:
        """Ids of the records with one of these blind index values."""
        ...

    async def indexes_of(
        self, record_ids: Sequence[str]
    ) -> Mapping[str, Mapping[str, Sequence[str]]]:
        """The blind index values of those records that there are, by id and kind."""
        ...


class Updates(Protocol):
    """The public histories of those requests that the public lists show."""

    async def written(self, since: datetime, until: datetime, most: int) -> Sequence[Update]:
        """What was written at `since` or later and before `until`, oldest first.

        Where there is more than `most`: so many, and all of the same second as the last.
        """
        ...


class Indexed(Protocol):
    """Requests by the versions of the keys, and the rules of reading, that their person indexes
    were made by."""

    async def indexed_otherwise(
        self, versions: Sequence[int], after: str, limit: int
    ) -> Sequence[ServiceRequest]:
        """The next requests by id that were not indexed under just these versions, or not by the
        present rules of reading."""
        ...

    async def count_otherwise(self, versions: Sequence[int]) -> int: ...

    async def homes_unread(self, after: str, limit: int) -> Sequence[ServiceRequest]:
        """The next requests by id whose reporter's own address geo has yet to read."""
        ...


class File(Model):
    """A file of a submission: declared content type and bytes. Its name is not kept."""

    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Address:
    """Where the bytes of a file are to be brought, by PUT with just these headers, until when."""

    upload_id: str
    url: str = field(repr=False)
    headers: Mapping[str, str]
    expires_at: datetime


class Uploads(Protocol):
    """The media service's front door."""

    async def addresses(self, files: Sequence[AnnouncedFile]) -> Sequence[Address]:
        """A place in the incoming bucket for each file.

        :raises TransientError: media or the store does not answer.
        """
        ...

    async def examine(self, upload_ids: Sequence[str]) -> Mapping[str, tuple[int, str]]:
        """Of those that were brought: size in bytes, and SHA-256 in hex, by upload id.

        :raises TransientError: media or the store does not answer.
        """
        ...

    async def put(self, files: Sequence[File]) -> Sequence[UploadRef]:
        """Bring files to the incoming bucket.

        :raises TransientError: media or the store did not take them.
        """
        ...

    async def withdraw(self, uploads: Sequence[UploadRef]) -> None:
        """Take files back that no request will name."""
        ...


class UploadTickets(Protocol):
    """The tickets that were given out."""

    async def keep(self, tickets: Sequence[UploadTicket]) -> None: ...

    async def get(self, upload_ids: Sequence[str]) -> Mapping[str, UploadTicket]: ...

    async def claim(self, upload_id: str, claim: str, record_id: str, at: datetime) -> bool:
        """Mark a ticket as named by this submission; whether nobody else had."""
        ...

    async def release(self, upload_ids: Sequence[str], claim: str) -> None:
        """Take this submission's marks back."""
        ...


class Codes(Protocol):
    """One-time codes to reporters, one for each request, and how often one was asked for."""

    async def ask(
        self, record_id: str, at: datetime, nonce: str | None, language: str
    ) -> datetime | None:
        """Count a question. With a nonce the code that it makes takes the place of an earlier one,
        and waits to be sent. The same one write in both cases.

        `None`, or when the next question may come where there were too many.
        """
        ...

    async def attempt(self, record_id: str, at: datetime) -> str | None:
        """Count a try at the present code; its nonce, if it is still good."""
        ...

    async def use(self, record_id: str, nonce: str) -> bool:
        """Use the code up; whether nobody else had."""
        ...

    async def forget(self, record_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class WaitingCode:
    """A code that waits to be sent. `tries`: how often that failed."""

    record_id: str
    nonce: str
    language: str
    mail_after: datetime
    good_until: datetime
    tries: int


class CodeOutbox(Protocol):
    """Codes whose messages wait."""

    async def due(self, at: datetime, limit: int) -> Sequence[WaitingCode]: ...

    async def trying(self, code: WaitingCode, again: datetime) -> bool: ...

    async def sent(self, code: WaitingCode) -> None: ...


class MailOutbox(Protocol):
    """Requests whose messages wait."""

    async def with_mail(self, at: datetime, limit: int) -> Sequence[str]:
        """Ids of requests whose `mail_after` has passed."""
        ...


class Mailer(Protocol):
    """Brings messages to people."""

    async def send(self, message: EmailMessage) -> None:
        """Return once the next server has taken it.

        :raises UndeliverableError: it does not and will not.
        :raises TransientError: it did not; try again later.
        """
        ...


class UndeliverableError(RuntimeFaultError):
    """The next server refused the recipient or the message for good."""


class Protections(Protocol):
    """The protection registry (section 119.071(4)(d), F.S.), as keyed hashes."""

    @property
    def version(self) -> int: ...

    def matches(self, hashes: Iterable[str]) -> bool:
        """Whether any of these identifiers is a protected person's."""
        ...


@dataclass(frozen=True, slots=True)
class ReadAddress:
    """An address in one normalised line, `None` where it is none by the book, and where it lies,
    where that is known: in degrees of WGS 84, right to `error_m` metres.

    `readings`: the short forms by which the same house is known however it is written. `known`: geo
    knows street and range, so that no word of the line is only the writer's.
    """

    line: str | None
    point: tuple[float, float] | None = None
    error_m: float = 0.0
    readings: tuple[str, ...] = ()
    known: bool = False


class Addresses(Protocol):
    """Geo's reading of an address."""

    async def normalise(self, address: str, given: Place | None = None) -> ReadAddress | None:
        """`None` where the text is no address and has no reading. `given`: what was given with it.

        :raises TransientError: geo does not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class HomeValues:
    """Index values of a reporter's own address, under the kind `home`.

    `settled`: geo has answered. Where it did not, these are of the address as it was typed, by
    which the protection registry may not know it: they must be made again.
    """

    values: tuple[str, ...]
    settled: bool


class Home(Protocol):
    async def __call__(self, address: str) -> HomeValues: ...


class PersonIndexes(Protocol):
    """Keyed hashes of what identifies a person or a place; nobody else can make them."""

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions of the keys in force, newest first. All values are made under each."""
        ...

    def person(self, field: str, value: str) -> tuple[str, ...]:
        """What is sought for a `phone`, `email` or `name`: index values of all its readings, one of
        which a request of the same person has. None where it cannot be one."""
        ...

    def of(self, plain: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
        """What is held of a submission's fields, by kind: index values of all readings of each."""
        ...

    def place(
        self, address: str | None, latitude: float | None, longitude: float | None
    ) -> tuple[str, ...]:
        """The index values of an address (normalised, one line) and of the cells that a point
        lies in."""
        ...

    def around(self, latitude: float, longitude: float, reach_m: float) -> tuple[str, ...]:
        """The index values of the cells that lie within `reach_m` metres of a point, in part or
        whole."""
        ...

    def query(self, field: str, value: str) -> str:
        """A hash of a search under a key of this month, for the log alone."""
        ...


class KnownClients(Protocol):
    """The API clients as this process knows them. Asked with every call: it must cost nothing."""

    def by_key(self, key_hash: str) -> Client | None:
        """The client one of whose keys, good or not, has this hash."""
        ...

    def has_origin(self, origin: str) -> bool:
        """Whether a client that is in force may be used from this web origin."""
        ...

    def note_use(self, key_id: str) -> None:
        """The key was used now; this is written down some seconds later."""
        ...


class ClientRegistry(Protocol):
    """The API clients as they are stored."""

    async def all(self) -> Sequence[Client]: ...

    async def one(self, client_id: str) -> Client | None: ...

    async def add(self, client: Client) -> bool:
        """Store a new client; whether there was none with this id, in force or not."""
        ...

    async def replace(self, client: Client) -> bool:
        """Store the next version of a client; whether nobody else has changed it meanwhile."""
        ...

    async def used(self) -> Mapping[str, datetime]:
        """When each key was last used, by its id, some seconds late."""
        ...


class QuotaStore(Protocol):
    """What of each quota has been given away, to all copies of the process together."""

    async def take(self, window: str, wanted: int, limit: int, until: datetime) -> tuple[int, int]:
        """Give away up to `wanted` of what is left of `limit` in this window: how many these are,
        and how many are then left. The window is forgotten some time after `until`.

        :raises DatabaseError, TransientError: it does not answer; nothing may be spent.
        """
        ...

    async def give_back(self, window: str, count: int) -> None:
        """Take back what was given away and not spent."""
        ...


class SharedCounts(Protocol):
    """Counts that all copies of the process add to."""

    async def add(self, counts: Mapping[str, int], until: datetime) -> Mapping[str, int]:
        """Add to each of these; what each is then. They are forgotten some time after `until`.

        :raises DatabaseError, TransientError: not now; whether it was added is not known.
        """
        ...
