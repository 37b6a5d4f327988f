"""What the log knows of an event in clear, what may be asked of it, and how long it is readable.

Nothing here is personal information: ids of records and of staff, names of fields, purposes,
outcomes and times. Bodies of events are sealed in the log and appear nowhere in this module.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Literal, get_args

from direct311.runtime.messaging.state import RecordState
from direct311.schemas import Event, Instant, Model, RecordId
from direct311.schemas import events as ev

PERMANENT = "series:45"
"""Name of the key of entries about disposition. GS1-SL item 45: records disposition documentation
is permanent, so this key is never destroyed."""

INDEX = "index:1"
"""Name of the key that vouches for what the query index says. It opens nothing."""

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far the clocks of two services may differ."""

DELIVERY_LIMIT = timedelta(days=14)
"""The broker forgets after this time at most: no event is logged later than that."""


MOST_COUNTED = 100_000
"""Refusals or failed sign-ins that one entry may stand for: more than a process refuses in a
minute."""

ANSWERING: Final = frozenset(get_args(ev.Holder)) - {"audit"}
"""The holders whose receipts stand behind every certificate; audit is last."""


class UnknownEventError(Exception):
    """An event that does not belong into the log."""


class CursorError(Exception):
    """The cursor is not one of this query's."""


class Facts(Model):
    """What the query index keeps of an entry.

    `event` is the event's name; `opens` says that the event authorised a fetch of keys, which is
    then expected to follow it. `order_id`: of a receipt of destruction and of a certificate, the
    order that they answer; older entries have none. `authentication`: how the actor was known,
    `None` in older entries and of what a service says by itself. `session` is the token's id,
    `instance` the process that answered, `producer` and `sequence` the number that the producer
    gave the event, `query` the keyed hash of a search, under a key that intake changes every month
    and audit never has. `result_count`: how many records a search found; what found more than 100
    has several entries, each of which counts those that it names (older ones name the first 100 of
    all that they count). `count`: how many refusals or failed sign-ins the entry stands for.
    `exempt_until`: until then the entry is withheld from whoever may not see exempt ones.
    """

    event_id: str
    event: str
    service: str
    instance: str | None = None
    record_ids: tuple[RecordId, ...] = ()
    actor: str
    authentication: str | None = None
    roles: tuple[str, ...] = ()
    department: str | None = None
    session: str | None = None
    break_glass: bool = False
    purpose: str | None = None
    case_id: str | None = None
    action: str
    outcome: str
    fields: tuple[str, ...] = ()
    result_count: int | None = None
    count: int = 1
    occurred_at: Instant
    exempt_until: Instant | None = None
    producer: str | None = None
    sequence: int | None = None
    query: str | None = None
    opens: bool = False
    order_id: str | None = None

    def withheld(self, at: datetime) -> bool:
        """Whether the entry is exempt from inspection at that time."""
        return self.exempt_until is not None and self.exempt_until > at


def facts_of(event: Event[Model]) -> Facts:
    """:raises UnknownEventError: the event has no place in the log."""
    data = event.data
    service = event.source.rpartition("/")[2]
    if isinstance(data, ev.PiiAccessed):
        return _facts_of_access(event.id, service, data)
    if isinstance(data, ev.RecordDestroyed):
        action, at = "destroy", data.destroyed_at
        records: tuple[str, ...] = (data.record_id,)
        order_id = data.order_id
    elif isinstance(data, ev.DispositionCertified):
        action, at, records = "certify", data.certified_at, data.record_ids
        order_id = data.order_id
    else:
        raise UnknownEventError(event.name)
    return Facts(
        event_id=event.id,
        event=event.name,
        service=service,
        record_ids=records,
        actor=f"svc:{service}",
        roles=("service",),
        purpose="retention",
        action=action,
        outcome="success",
        occurred_at=at,
        order_id=order_id,
    )


def _facts_of_access(event_id: str, service: str, data: ev.PiiAccessed) -> Facts:
    what = data.what
    related = data.retention.related_record
    records = dict.fromkeys((*what.record_ids, *((related,) if related else ())))
    opens = (
        data.outcome == "success"
        and bool(what.fields)
        and data.action not in ("search", "list", "sign_in", "void")
        and what.result_count != 0
    )
    return Facts(
        event_id=event_id,
        event="pii.accessed",
        service=service,
        instance=data.where.instance,
        record_ids=tuple(records),
        actor=data.agent.id,
        authentication=data.agent.authentication,
        roles=data.agent.roles,
        department=data.agent.department,
        session=data.agent.session,
        break_glass=data.agent.break_glass,
        purpose=data.why.purpose,
        case_id=data.why.case_id,
        action=data.action,
        outcome=data.outcome,
        fields=what.fields,
        result_count=what.result_count,
        count=data.count or 1,
        occurred_at=data.time.occurred_at,
        exempt_until=data.retention.exempt_until,
        producer=data.time.producer,
        sequence=data.time.sequence,
        query=what.query_hmac,
        opens=opens,
    )


def key_names(facts: Facts) -> tuple[str, ...]:
    """The keys that an entry is tied to; it can be read for as long as one of them lives.

    An entry lives as long as the record that it relates to (GS1-SL item 393), one about several as
    long as the longest. Empty: the entry is about no record and has the key of its month.
    """
    return facts.record_ids if facts.event == "pii.accessed" else (PERMANENT,)


def without(facts: Facts, gone: Collection[str]) -> Facts:
    """Facts that name no record that is gone, as destroying it left those of earlier entries.

    Where all of them are gone they stay: the entry has the key of its month, and goes with it.
    """
    left = tuple(each for each in facts.record_ids if each not in gone)
    if facts.event != "pii.accessed" or not left or left == facts.record_ids:
        return facts
    return facts.model_copy(update={"record_ids": left})


def month_key(at: datetime) -> str:
    """Name of the key of entries about no record. No record id holds a colon."""
    return f"month:{at:%Y-%m}"


def entry_key(event_id: str) -> str:
    """Name of the key of one entry about several records."""
    return f"entry:{event_id}"


# ---------------------------------------------------------------- queries


class Filter(Model):
    """Which entries are asked for. All that is given must fit; of `record_ids` any one.

    `role` and `field` are one of those that the access had. `instance` is one process from its
    start to its end, `host` the machine on which processes of any service ran. An entry
    lasts from when the access occurred, by its service's word, to when it was logged; it fits where
    a part of that lies between `since` and `until`, both included. So no date that a service gives
    takes an entry out of the time in which it came.
    """

    record_ids: tuple[RecordId, ...] = ()
    actor: str | None = None
    department: str | None = None
    role: str | None = None
    purpose: str | None = None
    case_id: str | None = None
    action: str | None = None
    outcome: str | None = None
    field: str | None = None
    service: str | None = None
    instance: str | None = None
    host: str | None = None
    session: str | None = None
    break_glass: bool | None = None
    since: Instant | None = None
    until: Instant | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The fields of the query, without their values."""
        return tuple(sorted(self.model_dump(exclude_defaults=True)))

    @property
    def by_place_and_time(self) -> "Filter":
        """What of the query a withheld entry answers to: records and time, and nothing that it
        says of who, why and how."""
        return Filter(record_ids=self.record_ids, since=self.since, until=self.until)

    def among(self, record_ids: Iterable[str]) -> tuple[str, ...]:
        """Those of a person's records that the query asks for: all, if it names none."""
        asked = set(self.record_ids)
        return tuple(each for each in record_ids if not asked or each in asked)

    def takes(self, facts: Facts, logged_at: datetime) -> bool:
        """Whether an entry fits."""
        return (
            all(getattr(self, name) in (None, getattr(facts, name)) for name in SINGLE)
            and (not self.record_ids or bool({*self.record_ids} & {*facts.record_ids}))
            and (self.role is None or self.role in facts.roles)
            and (self.field is None or self.field in facts.fields)
            and (self.host is None or self.host == host_of(facts.instance))
            and (self.since is None or max(facts.occurred_at, logged_at) >= self.since)
            and (self.until is None or min(facts.occurred_at, logged_at) <= self.until)
        )


SINGLE = (
    "session",
    "case_id",
    "actor",
    "break_glass",
    "department",
    "purpose",
    "action",
    "outcome",
    "service",
    "instance",
)
"""Facts of which an entry has one each and a filter may name one; those that few entries share
first."""


def host_of(instance: str | None) -> str | None:
    """The host in the name of a process: `intake-web1-0a1b2c3d4e5f` runs on `web1`."""
    found = re.fullmatch(INSTANCE_ON.format("(.+)"), instance or "")
    return found[1] if found else None


INSTANCE_ON = "^[a-z]+-{}-[0-9a-f]{{12}}$"
"""A pattern for the names of processes on a host, which is put in escaped."""


@dataclass(frozen=True, slots=True)
class Exempt:
    """How entries that are withheld at an instant are met: left out, or `only` they."""

    at: datetime
    only: bool = False

    def takes(self, facts: Facts | None) -> bool:
        withheld = facts is not None and facts.withheld(self.at)
        return withheld is self.only


Dimension = Literal[
    "actor",
    "purpose",
    "department",
    "day",
    "hour",
    "action",
    "outcome",
    "record",
    "service",
    "instance",
    "case",
    "fields",
]
"""By what entries are counted. `day` and `hour` are of UTC, as `2026-03-02` and `2026-03-02T14`.
`fields`: the names of an entry's fields, with commas between. An entry about several records counts
for each of them, and one about none for `None`."""


@dataclass(frozen=True, slots=True)
class Group:
    """Entries that agree in each dimension: `key` in the order asked for, how many, when the first
    and the last of them occurred, and how many times they stand for."""

    key: tuple[str | None, ...]
    count: int
    first: datetime
    last: datetime
    times: int

    def joined(self, other: "Group | None") -> "Group":
        """Both together."""
        if other is None:
            return self
        return Group(
            self.key,
            self.count + other.count,
            min(self.first, other.first),
            max(self.last, other.last),
            self.times + other.times,
        )


def keys_of(facts: Facts, by: Sequence[Dimension]) -> Iterator[tuple[str | None, ...]]:
    """The groups that an entry counts in."""
    single = {
        **{name: getattr(facts, name) for name in SINGLE if name != "break_glass"},
        "case": facts.case_id,
        "day": f"{facts.occurred_at:%Y-%m-%d}",
        "hour": f"{facts.occurred_at:%Y-%m-%dT%H}",
        "fields": ",".join(facts.fields),
    }
    for record in (facts.record_ids or (None,)) if "record" in by else (None,):
        yield tuple(record if name == "record" else single[name] for name in by)


def fingerprint(query: Filter, about: Sequence[str] = ()) -> str:
    """Tells the cursors of two questions apart, also those about two persons.

    A person is known by the oldest of their records (`about`), which stays the oldest when the
    person gets a new one; ids sort by time.
    """
    oldest = min(about, default="")
    return sha256(f"{query.model_dump_json()}\n{oldest}".encode()).hexdigest()[:16]


def cursor_of(query: Filter, index: int, about: Sequence[str] = ()) -> str:
    """Where the page after the one that ends with entry `index` begins."""
    return f"{index}.{fingerprint(query, about)}"


def index_of(cursor: str, query: Filter, about: Sequence[str] = ()) -> int:
    """:raises CursorError: malformed, or another question's."""
    index, _, of = cursor.partition(".")
    if not (index.isascii() and index.isdecimal()) or len(index) > 18:
        raise CursorError
    if of != fingerprint(query, about):
        raise CursorError
    return int(index)


def windows(top: int, bottom: int, first: int = 500) -> Iterator[tuple[int, int]]:
    """Ranges [low, high) from `top` down to `bottom`, each eight times as wide as the one before.

    The newest entries are looked for in the newest range first: a database that sorts all matches
    of a query then never has many of them to sort.
    """
    width = first
    while top > bottom:
        low = max(bottom, top - width)
        yield low, top
        top, width = low, width * 8


# ---------------------------------------------------------------- records and alarms


class AuditedRecord(RecordState):
    """A record whose disposition was certified, or that is held.

    `destroy_at` is when audit destroys its own part: last, when the broker has forgotten too.
    """

    destroy_at: Instant | None = None


class Alarm(RecordState):
    """An alarm that was raised; `record_id` is the id of what it is about."""

    kind: str = ""


class Fetch(Model):
    """A key that a service has fetched, and the access event that it gives as its reason."""

    service: str
    record_id: str
    event_id: str
    at: Instant

    @property
    def key(self) -> str:
        """Tells it from all others: one event may open many records."""
        return sha256(self.model_dump_json(exclude={"at"}).encode()).hexdigest()


# ---------------------------------------------------------------- the query index


class Rebuild(Model):
    """The query index made again. `next` and `frontier`: how far the tree was verified, and its
    hashes there; `mended`: entries that the index lacked or told otherwise; `unnamed`: those of
    them whose event's id nobody knows any more; `problem`: why it failed, in words.

    `step` counts the writes, so that of two who go on from the same place one is refused.
    """

    state: Literal["running", "done", "failed"] = "running"
    step: int = 0
    reference: str
    started_by: str
    started_at: Instant
    finished_at: Instant | None = None
    size: int = 0
    next: int = 0
    frontier: tuple[bytes, ...] = ()
    mended: int = 0
    unnamed: int = 0
    problem: str | None = None


class IndexWalk(Model):
    """Where the endless walk over the index is: the next entry, the last checkpoint compared, and
    how many entries were found otherwise in this walk and in the one before."""

    next: int = 0
    checkpoint: str = ""
    found: int = 0
    found_before: int = 0


def unnamed(index: int) -> str:
    """What stands for the id of an event that is not known, or that has an earlier entry."""
    return f"entry:{index}"
