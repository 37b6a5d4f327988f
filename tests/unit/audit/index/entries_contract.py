"""What the query index must answer: run on the fake, and over the wire on the real one."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import get_args

from direct311.audit.entry import Facts, Filter
from direct311.audit.index.domain import Cases, Dimension, Exempt, Group
from direct311.audit.log.domain import facts_of
from direct311.audit.log.handlers.tags import is_right
from direct311.schemas import Encoded
from direct311.schemas.secrecy import NO_END
from tests.unit.audit.events import OTHER, RECORD, START, THIRD, Producer, received
from tests.unit.audit.index.grouping import keys_of
from tests.unit.audit.log_contract import Stores

NUMBER = 60
FILTERS = [
    Filter(),
    Filter(record_ids=(RECORD,)),
    Filter(record_ids=(RECORD, OTHER)),
    Filter(record_ids=(RECORD, THIRD), actor="agent-1", outcome="success"),
    Filter(actor="agent-2"),
    Filter(actor="agent-2", outcome="denied", department="parks"),
    Filter(department="parks"),
    Filter(role="inspector"),
    Filter(purpose="county_business", role="agent"),
    Filter(case_id="D-7"),
    Filter(case_id="D-7", record_ids=(RECORD,)),
    Filter(action="key_use"),
    Filter(outcome="denied"),
    Filter(field="email"),
    Filter(field="phone", actor="agent-3"),
    Filter(service="media"),
    Filter(instance="intake-web2-0123456789ab"),
    Filter(host="web2"),
    Filter(host="web2", instance="intake-web2-0123456789ab"),
    Filter(host="web2", instance="intake-web1-0123456789ab"),
    Filter(host="web."),
    Filter(session="token-3"),
    Filter(session="token-3", break_glass=True),
    Filter(break_glass=True),
    Filter(break_glass=False, actor="agent-0"),
    Filter(since=START + timedelta(minutes=10), until=START + timedelta(minutes=30)),
    Filter(since=START + timedelta(minutes=400), until=START + timedelta(minutes=500)),
    Filter(since=START + timedelta(minutes=1_000), actor="agent-1"),
    Filter(until=START, record_ids=(OTHER,)),
    Filter(record_ids=("nobody",)),
]


def messages() -> list[Encoded]:
    """Accesses that differ in every fact."""
    intake, media = Producer(started="0195567e-8f00-7000-8000-00000000000b"), Producer("media")
    about: list[tuple[str, ...]] = [(RECORD,), (OTHER,), (RECORD, OTHER), (), (THIRD,)]
    return [
        (who := media if number % 11 == 0 else intake).access(
            *about[number % 5],
            actor=f"agent-{number % 4}",
            action="key_use" if number % 6 == 0 else "view",
            outcome="denied" if number % 7 == 0 else "success",
            count=number if number % 14 == 7 else None,
            purpose="respond" if number % 2 else "county_business",
            department="parks" if number % 3 else None,
            roles=("agent", "inspector") if number % 5 == 1 else ("agent",),
            fields=_fields(who.service, number),
            instance=f"{who.service}-web{number % 3}-0123456789ab",
            session=f"token-{number % 9}",
            break_glass=number % 8 == 3,
            case_id=f"D-{7 + number % 3}" if number % 5 == 0 else None,
            exempt_until=START + timedelta(days=number % 4) if number % 9 in (2, 5, 6) else None,
            event_id=f"0195567e-8f00-7000-8001-{number:012x}",
            at=START + timedelta(minutes=37 * number),
        )
        for number in range(NUMBER)
    ]


def logged_at(number: int) -> datetime:
    """When one of these is logged: ten at a time, once the last of them has occurred."""
    return START + timedelta(minutes=37 * (number // 10 * 10 + 10))


def takes(query: Filter, facts: Facts) -> bool:
    number = int(facts.event_id.rpartition("-")[2], 16)
    return query.takes(facts, logged_at(number))


def _fields(service: str, number: int) -> tuple[str, ...]:
    if service == "media":
        return ("media_original",)
    return ("phone", "email") if number % 4 == 0 else ("phone",)


def treatments() -> list[Exempt]:
    """At several times, with cases of every state: unknown, exempt, and not exempt any more."""
    ends = (None, START, START + timedelta(days=2), NO_END)
    known = [Cases(), *(Cases({"D-7": end}) for end in ends)]
    known.append(Cases({"D-7": None, "D-8": NO_END, "D-9": START}))
    times = (START, START + timedelta(days=1, seconds=1), START + timedelta(days=9))
    return [
        Exempt(at, only=only, cases=cases)
        for at in times
        for cases in known
        for only in (False, True)
    ]


class EntriesContract:
    """`stores` is an empty log."""

    async def filled(self, stores: Stores) -> list[Facts]:
        sent = messages()
        for at in range(0, NUMBER, 10):
            stores.clock.at = logged_at(at)
            await stores.arrive(sent[at : at + 10])
            await stores.sequence()
        return [facts_of(received(message).event) for message in sent]

    async def test_each_fact_can_be_asked_for(self, stores: Stores) -> None:
        facts = await self.filled(stores)
        found_by_all = set()
        for query in FILTERS:
            wanted = [each.event_id for each in facts if takes(query, each)]
            rows = await stores.entries.find(query, before=NUMBER, floor=0, limit=NUMBER)
            assert [row.event_id for row in rows] == wanted[::-1], query
            rows = await stores.entries.find(query, before=40, floor=20, limit=3, oldest_first=True)
            part = [each.event_id for each in facts[20:40] if takes(query, each)]
            assert [row.event_id for row in rows] == part[:3], query
            found_by_all.add(len(wanted))
        # The questions tell entries apart: they do not all find the same.
        assert len(found_by_all) > 10

    async def test_exempt_entries_are_left_out_or_alone(self, stores: Stores) -> None:
        facts = await self.filled(stores)
        for exempt in treatments():
            for query in FILTERS:
                wanted = [
                    each.event_id
                    for each in facts
                    if takes(query, each) and exempt.withholds(each) is exempt.only
                ]
                rows = await stores.entries.find(
                    query, before=NUMBER, floor=0, limit=NUMBER, exempt=exempt, oldest_first=True
                )
                assert [row.event_id for row in rows] == wanted, (query, exempt)
                rows = await stores.entries.find(
                    query, before=NUMBER, floor=0, limit=3, exempt=exempt
                )
                assert [row.event_id for row in rows] == wanted[:-4:-1], (query, exempt)

    async def test_withheld_entries_are_counted_by_what_their_cases_say(
        self, stores: Stores
    ) -> None:
        facts = await self.filled(stores)
        for exempt in treatments():
            found = await stores.entries.groups(
                Filter(), ("actor",), before=NUMBER, floor=0, exempt=exempt
            )
            wanted = Counter(each.actor for each in facts if exempt.takes(each))
            assert {group.key[0]: group.count for group in found} == wanted, exempt
            assert len(found) == len(wanted)

    async def test_counts_by_each_dimension_are_those_of_the_entries(self, stores: Stores) -> None:
        facts = await self.filled(stores)
        dimensions: Sequence[Dimension] = get_args(Dimension)
        pairs: list[tuple[Dimension, ...]] = [(), *((each,) for each in dimensions)]
        pairs += [("record", "actor"), ("day", "purpose"), ("hour", "actor")]
        pairs += [("record", "actor", "action", "outcome", "fields")]
        exempt = Exempt(START)
        for query in (Filter(), Filter(actor="agent-1"), Filter(record_ids=(RECORD, OTHER))):
            for by in pairs:
                wanted: dict[tuple[str | None, ...], Group] = {}
                for each in facts:
                    if takes(query, each) and exempt.takes(each):
                        for key in keys_of(each, by):
                            one = Group(key, 1, each.occurred_at, each.occurred_at, each.count)
                            wanted[key] = one.joined(wanted.get(key))
                found = await stores.entries.groups(
                    query, by, before=NUMBER, floor=0, exempt=exempt
                )
                assert {group.key: group for group in found} == wanted, (query, by)
                assert len(found) == len(wanted)

    async def test_what_was_forgotten_is_in_no_count_and_keeps_its_place(
        self, stores: Stores
    ) -> None:
        await self.filled(stores)
        tag = await stores.tags.tagger(START)
        rows = await stores.entries.find(Filter(), before=9, floor=3, limit=NUMBER)
        await stores.entries.forget_rows([rows[0], rows[-1]], tag)
        (group,) = await stores.entries.groups(Filter(), (), before=NUMBER, floor=0)
        assert group.count == NUMBER - 2
        rows = await stores.entries.find(Filter(), before=10, floor=0, limit=NUMBER)
        gone = [row for row in rows if row.facts is None]
        assert [row.index for row in gone] == [8, 3]
        assert all(is_right(row, row.leaf, tag) for row in gone)
        assert await stores.entries.forgotten(0, NUMBER) == {
            row.index: row.event_id for row in gone
        }
        assert not await stores.entries.find(Filter(action="view"), before=4, floor=3, limit=NUMBER)
