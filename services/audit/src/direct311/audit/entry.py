"""An entry as the query index has it in clear, and which entries are asked for.

Nothing here is personal information: ids of records and of staff, names of fields, purposes,
outcomes and times. Bodies of events are sealed in the log and appear nowhere in this module.
"""

import re
from collections.abc import Iterable
from datetime import datetime

from direct311.schemas import Instant, Model, RecordId, replaced


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

    def naming(self, record_ids: tuple[RecordId, ...]) -> "Facts":
        """The same about these records alone: the others are gone."""
        return replaced(self, record_ids=record_ids)

    def without_fetch(self) -> "Facts":
        """The same, after which no fetch of keys is expected."""
        return replaced(self, opens=False)

    def under(self, event_id: str) -> "Facts":
        """The same under another event's id."""
        return replaced(self, event_id=event_id)


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

    def about(self, record_ids: Iterable[str]) -> "Filter":
        """The same of these records."""
        return replaced(self, record_ids=tuple(record_ids))

    def of_action(self, action: str) -> "Filter":
        """The same of one action."""
        return replaced(self, action=action)

    def of_outcome(self, outcome: str) -> "Filter":
        """The same with one outcome."""
        return replaced(self, outcome=outcome)

    def within(self, since: datetime, until: datetime) -> "Filter":
        """The same in this time, both ends included."""
        return replaced(self, since=since, until=until)

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
