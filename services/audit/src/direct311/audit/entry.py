"""An entry as the query index has it in cleartext, and the filter for entries.

Nothing here is personal information: ids of records and of staff, names of fields, purposes,
outcomes and times. Bodies of events are sealed in the log and appear nowhere in this module.
"""

import re
from collections.abc import Iterable
from datetime import datetime

from direct311.schemas import Instant, Model, RecordId, replaced
from direct311.schemas.secrecy import LAW_ENFORCEMENT, shows_law_enforcement


class Facts(Model):
    """What the query index keeps about an entry.

    `event` is the event's name, and `action` an access's action or an act that decides about
    records; `opens` says that the event authorized a fetch of keys, which
    should then follow it. `order_id`: the order that a destruction receipt or certificate answers;
    older entries have none. `authentication`: how the actor was identified; `None` in older entries
    and in a service's own reports. `session` is the token's id, `instance` the process that
    answered, `producer` and `sequence` the number that the producer gave the event, `query` the
    keyed hash of a search, under a key that intake changes every month and audit never has.
    `result_count`: how many records a search found. A search that found more than 100 has several
    entries, each of which counts the records it names (older entries name the first 100 of all that
    they count). `count`: how many refusals or failed sign-ins the entry stands for. `case_id`: the
    disclosure case. `exempt_until`: until then the entry is withheld from people who may not see
    exempt entries, unless its case has said otherwise since (`index.domain.Exempt`).
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

    @property
    def shows_law_enforcement(self) -> bool:
        """Whether the entry shows that law enforcement asked. What the liaison does about no
        record, such as a sign-in, does not."""
        about = self.record_ids or self.purpose == LAW_ENFORCEMENT
        return bool(about) and shows_law_enforcement(self.purpose, self.roles)

    def naming(self, record_ids: tuple[RecordId, ...]) -> "Facts":
        """A copy about only these records: the others are destroyed."""
        return replaced(self, record_ids=record_ids)

    def exempt(self, until: datetime) -> "Facts":
        """A copy that is exempt from inspection until then."""
        return replaced(self, exempt_until=until)

    def without_fetch(self) -> "Facts":
        """A copy after which no fetch of keys is expected."""
        return replaced(self, opens=False)

    def under(self, event_id: str) -> "Facts":
        """A copy with another event's id."""
        return replaced(self, event_id=event_id)


class Filter(Model):
    """Which entries to find. Every given condition must match; of `record_ids` any one.

    `role` and `field` must be one of the access's roles and fields. `instance` is one process from
    its start to its end, `host` the machine on which processes of any service ran. An entry lasts
    from when the access occurred, according to its service, to when it was logged. It matches if
    part of that is between `since` and `until`, both included. So no date that a service gives can
    remove an entry from the period in which it arrived.
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
        """The part of the query that a withheld entry may match: records and time, but nothing
        about who, why and how."""
        return Filter(record_ids=self.record_ids, since=self.since, until=self.until)

    def about(self, record_ids: Iterable[str]) -> "Filter":
        """A copy for these records."""
        return replaced(self, record_ids=tuple(record_ids))

    def under_case(self, case_id: str) -> "Filter":
        """A copy for one disclosure case."""
        return replaced(self, case_id=case_id)

    def of_action(self, action: str) -> "Filter":
        """A copy for one action."""
        return replaced(self, action=action)

    def of_outcome(self, outcome: str) -> "Filter":
        """A copy with one outcome."""
        return replaced(self, outcome=outcome)

    def within(self, since: datetime, until: datetime) -> "Filter":
        """A copy for this period, both ends included."""
        return replaced(self, since=since, until=until)

    def among(self, record_ids: Iterable[str]) -> tuple[str, ...]:
        """The person's records that the query asks for: all, if it names none."""
        asked = set(self.record_ids)
        return tuple(each for each in record_ids if not asked or each in asked)

    def takes(self, facts: Facts, logged_at: datetime) -> bool:
        """Whether an entry matches."""
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
"""Facts that have one value per entry and that a filter may name; the most selective first."""


def host_of(instance: str | None) -> str | None:
    """The host in a process's name: `intake-web1-0a1b2c3d4e5f` runs on `web1`."""
    found = re.fullmatch(INSTANCE_ON.format("(.+)"), instance or "")
    return found[1] if found else None


INSTANCE_ON = "^[a-z]+-{}-[0-9a-f]{{12}}$"
"""A pattern for the names of processes on a host, which is escaped."""
