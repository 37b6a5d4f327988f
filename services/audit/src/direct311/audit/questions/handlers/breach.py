"""What a credential, a host, a service or a time touched: the affected set of section 501.171, F.S.

Records come from the query index and people from intake. Only intake can tell whose record is
whose, and it says only which records belong together. Nothing is opened here; the question is an
event.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, get_args

from direct311.audit.entry import Filter
from direct311.audit.index.domain import Dimension, Exempt, Group
from direct311.audit.log.ports.log import Followed
from direct311.audit.questions.domain.breach import BreachRules, Notice
from direct311.audit.questions.handlers.audited_query import (
    MOST_RECORDS_AN_EVENT,
    AuditedQuery,
    QueryContext,
)
from direct311.audit.questions.ports import People
from direct311.runtime.errors import RefusedError
from direct311.schemas.events import RecordAct

MOST_RECORDS = 100_000
MOST_SEARCHES = 1_000
TOUCHED = frozenset({"success", "partial"})
"""Outcomes of accesses that reached something. A refused or failed one released nothing."""

RELEASES_NOTHING = frozenset(
    {"seal", "hold", "destroy", "certify", "policy_change", "sign_in", "void", *get_args(RecordAct)}
    | {"case", "grant", "revoke", "release"}
)
"""Actions that show nobody what a record contains. What retention says about a disclosure case
names no record; each access under the case is an entry of its own."""

UPDATE_CONTACTS = "update_contacts"
"""The field with the contact data of people who commented on somebody else's request."""

Holder = Literal["person", "without_contact", "gone"]
_BY: tuple[Dimension, ...] = ("record", "actor", "action", "outcome", "fields")


@dataclass
class Touched:
    """A record that was reached: how often, when, by whom, which fields.

    `person` numbers the people in this answer from 1 and means nothing outside it.
    """

    record_id: str
    first: datetime
    last: datetime
    entries: int = 0
    actors: set[str] = field(default_factory=set)
    actions: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)
    held: Holder = "gone"
    person: int | None = None

    def add(self, group: Group) -> None:
        _, actor, action, _, fields = group.key
        self.entries += group.count
        self.first, self.last = min(self.first, group.first), max(self.last, group.last)
        self.actors.add(actor or "")
        self.actions.add(action or "")
        self.fields |= set((fields or "").split(",")) - {""}


@dataclass(frozen=True, slots=True)
class CutSearch:
    """A search that found more records than its event names."""

    event_id: str
    found: int
    named: int


@dataclass(frozen=True, slots=True)
class Duty:
    """A notice: owed for certain, possibly (records without contact data could be that many more
    people), or not; and its deadline."""

    notice: Notice
    owed: Literal["yes", "possibly", "no"]
    due_on: date | None


@dataclass(frozen=True, slots=True)
class Scope:
    """`persons` can be distinguished by telephone number or e-mail address. Records with neither
    are counted separately. So are records that are `gone` (destroyed since), and the `senders` of
    comments whose contact data was opened. `persons_at_most` counts each of them as one more
    person. `refused`: entries that reached nothing; `refusals`: how often that was, since one entry
    reports many identical refusals. `closed`: entries that released nothing, such as a destruction.
    `no_record`: entries without a record that released something."""

    records: Sequence[Touched]
    persons: int
    without_contact: int
    gone: int
    senders: int
    entries: int
    refused: int
    refusals: int
    closed: int
    no_record: int
    withheld: int
    searches: Sequence[CutSearch]
    duties: Sequence[Duty]
    access_event: str

    @property
    def persons_at_most(self) -> int:
        return self.persons + self.without_contact + self.gone + self.senders


class Breach:
    """Answers the question that decides whether notice is owed."""

    def __init__(
        self, audited: AuditedQuery, log: Followed, people: People, rules: BreachRules
    ) -> None:
        self._audited = audited
        self._log = log
        self._people = people
        self.rules = rules

    async def scope(
        self, context: QueryContext, query: Filter, authorization: str, determined_on: date
    ) -> Scope:
        """The records and people that the accesses in `query` reached, and the notice owed if the
        breach was determined on that day.

        :raises RefusedError: for more than `MOST_RECORDS`; intake's refusal; as
            `AuditedQuery.authorise`.
        """
        await self._audited.refuse_early(context, query)
        head = await self._log.head()
        floor, before = await self._audited.span(query, head)
        exempt = await self._audited.hidden_from(context)
        counted = await self._audited.count(query, floor, before, exempt)
        groups = await self._audited.groups(query, _BY, floor, before, exempt)
        found, no_record = _touched(groups)
        kinds = await self._audited.groups(query, ("outcome", "action"), floor, before, exempt)
        reached_nothing = [each for each in kinds.values() if each.key[0] not in TOUCHED]
        refused = sum(each.count for each in reached_nothing)
        closed = sum(
            each.count
            for each in kinds.values()
            if each.key[0] in TOUCHED and each.key[1] in RELEASES_NOTHING
        )
        searches = await self._cut(query, floor, before, exempt)
        event = await self._audited.authorise(context, "export", query, counted.entries, ())
        if len(found) > MOST_RECORDS:
            raise RefusedError(
                "too_many",
                f"More than {MOST_RECORDS} records. Ask about shorter periods, one at a time.",
                field="until",
            )
        persons = without = gone = senders = 0
        if found:
            groups_of = await self._people.group(
                list(found), context.reference or "", authorization
            )
            for number, records in enumerate(groups_of.persons, 1):
                for record_id in records:
                    found[record_id].held, found[record_id].person = "person", number
            for record_id in groups_of.without_contact:
                found[record_id].held = "without_contact"
            persons, without = len(groups_of.persons), len(groups_of.without_contact)
            gone = sum(each.held == "gone" for each in found.values())
            senders = sum(
                count
                for record_id, count in groups_of.senders.items()
                if UPDATE_CONTACTS in found[record_id].fields
            )
        return Scope(
            records=sorted(found.values(), key=lambda each: (each.first, each.record_id)),
            persons=persons,
            without_contact=without,
            gone=gone,
            senders=senders,
            entries=counted.entries,
            refused=refused,
            refusals=sum(each.times for each in reached_nothing),
            closed=closed,
            no_record=no_record,
            withheld=counted.withheld,
            searches=searches,
            duties=duties(self.rules, persons, persons + without + gone + senders, determined_on),
            access_event=event,
        )

    async def _cut(
        self, query: Filter, floor: int, before: int, exempt: Exempt | None
    ) -> Sequence[CutSearch]:
        """Searches that reached more records than their event names, newest first: they are from
        before a large search had several events."""
        found: list[CutSearch] = []
        searched = query.of_action("search")
        async for rows in self._audited.oldest(searched, floor, before, exempt):
            found += [
                CutSearch(facts.event_id, facts.result_count or 0, len(facts.record_ids))
                for facts in (row.facts for row in rows if row.facts)
                if facts.outcome in TOUCHED
                # A search that named all its records may have lost one since; only the number shows
                # it.
                and (facts.result_count or 0) > MOST_RECORDS_AN_EVENT
            ]
        return found[::-1][:MOST_SEARCHES]


def duties(
    rules: BreachRules, persons: int, persons_at_most: int, determined_on: date
) -> list[Duty]:
    """The notice owed for this many people."""
    found = []
    for notice in rules.notices:
        certain, possible = persons >= notice.at_least, persons_at_most >= notice.at_least
        owed: Literal["yes", "possibly", "no"] = (
            "yes" if certain else "possibly" if possible else "no"
        )
        found.append(Duty(notice, owed, notice.due_on(determined_on) if possible else None))
    return found


def _touched(
    groups: Mapping[tuple[str | None, ...], Group],
) -> tuple[dict[str, Touched], int]:
    """Records by id, and how many entries without a record released something."""
    found: dict[str, Touched] = {}
    no_record = 0
    for group in groups.values():
        record_id, _, action, outcome, _ = group.key
        if outcome not in TOUCHED or action in RELEASES_NOTHING:
            continue
        if record_id is None:
            no_record += group.count
            continue
        touched = found.setdefault(record_id, Touched(record_id, group.first, group.last))
        touched.add(group)
    return found, no_record
