"""A service's signing key in the wrong hands: what it signs of itself poisons nothing at audit.

The signatures are good. What is said is impossible: times that are far away, numbers without end,
JSON with two meanings, certificates of what nobody destroyed.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import pytest

from direct311.audit.disposition.domain.records import ANSWERING
from direct311.audit.entry import Facts, Filter
from direct311.audit.index.adapters.mongo_entries import grouping
from direct311.audit.index_row import EntrySummary
from direct311.audit.log.domain import MOST_COUNTED, facts_of
from direct311.audit.log.handlers.receive import Receiving
from direct311.audit.log.ports.inbox import InboxBatch, QueuedEvent
from direct311.audit.monitoring.adapters.rules_file import load_volume_rules
from direct311.audit.monitoring.handlers.log_tailer import LogTailer
from direct311.audit.monitoring.handlers.numbers import Numbering
from direct311.audit.monitoring.handlers.volume import Volume
from direct311.audit.questions.api.questions import entry_of
from direct311.runtime.clock import TimeOrderedIds
from direct311.runtime.messaging.signing import Signer
from direct311.schemas import DecodeError, Encoded, decode, isoformat
from direct311.verifier import event as offline
from direct311.verifier.bundle import verify_bundle
from tests.hostile.test_framing import (
    CERTIFICATE,
    KEYS,
    NOW,
    access,
    destroyed,
    message,
    refused_by_audit,
    refused_by_signature,
    refused_offline,
)
from tests.support.runtime import SetClock
from tests.unit.audit.audit_under_test import ASKING, TRUST
from tests.unit.audit.audit_under_test import AuditUnderTest as Questions
from tests.unit.audit.disposition.test_dispose import WAIT, DisposingAudit
from tests.unit.audit.events import (
    ORDER,
    OTHER,
    RECORD,
    START,
    Producer,
    private_key,
    received,
)
from tests.unit.audit.fakes import (
    InMemoryAlarms,
    InMemoryInbox,
    InMemoryLog,
    InMemoryNumbers,
    InMemoryWatch,
)
from tests.unit.audit.log_contract import readable

pytestmark = pytest.mark.anyio
ELSE = "0195567e-8f00-7000-8000-0000000000ff"
LONG_AGO = datetime.fromisoformat("2001-01-01T00:00:00+00:00")


# ---------------------------------------------------------------- certificates


def receipts(*, record: str = RECORD, order: str = ORDER, but: Sequence[str] = ()) -> list[Encoded]:
    holders = sorted(ANSWERING - {*but})
    return [Producer(each).destroyed(record, order=order) for each in holders]


def openings(action: str) -> list[Encoded]:
    """What holders that seal tell of the record, and is no receipt."""
    return [
        Producer(each).access(RECORD, action=action, purpose="retention", actor=f"svc:{each}")  # type: ignore[arg-type]
        for each in ("intake", "media")
    ]


NOT_BORNE_OUT: Mapping[str, Sequence[Encoded]] = {
    "nobody-answered": [],
    **{f"{each}-did-not-answer": receipts(but=[each]) for each in sorted(ANSWERING)},
    **{
        f"{each}-alone-answered": receipts(but=sorted(ANSWERING - {each}))
        for each in sorted(ANSWERING)
    },
    "all-answered-another-order": receipts(order=ELSE),
    "all-answered-for-another-record": receipts(record=OTHER),
    "two-orders-have-half-each": [
        *receipts(but=["intake", "media"]),
        *receipts(order=ELSE, but=["geo", "routing"]),
    ],
    "geo-answered-four-times": [Producer("geo").destroyed(RECORD) for _ in range(4)],
    "events-of-destroying-are-no-receipts": [
        *receipts(but=["intake", "media"]),
        *openings("destroy"),
    ],
}


async def certified(
    audit: DisposingAudit, told: Sequence[Encoded], certificate: Encoded
) -> list[str]:
    """What can be read after the certificate came, beside what was told before it."""
    await audit.stores.arrive([Producer().access(RECORD), *told])
    await audit.stores.sequence()
    ids = await readable(audit.stores)
    await audit.disposition.note(received(certificate).event)
    return ids


@pytest.mark.parametrize("told", NOT_BORNE_OUT.values(), ids=NOT_BORNE_OUT)
async def test_a_certificate_alone_destroys_nothing(told: Sequence[Encoded]) -> None:
    audit = DisposingAudit()
    ids = await certified(audit, told, Producer("retention").certified(RECORD))
    for _ in range(4):
        audit.stores.clock.advance(WAIT)
        await audit.run()
    assert audit.receipts() == []
    assert await readable(audit.stores) == ids
    assert audit.stores.alarms.raised == [("destruction_refused", RECORD)]


@pytest.mark.parametrize("days", [-9_000, -366, -15, -1])
async def test_a_certificates_own_date_shortens_no_wait(days: int) -> None:
    audit = DisposingAudit()
    dated = Producer("retention").certified(RECORD, at=START + timedelta(days=days))
    ids = await certified(audit, receipts(), dated)
    audit.stores.clock.advance(WAIT - timedelta(seconds=1))
    await audit.run()
    assert await readable(audit.stores) == ids
    audit.stores.clock.advance(timedelta(seconds=1))
    await audit.run()
    assert [each.record_id for each in audit.receipts()] == [RECORD]


@pytest.mark.parametrize("order", [ORDER, ELSE, "no-uuid", "x"])
async def test_a_certificate_that_comes_too_early_hastens_nothing_and_stops_nothing(
    order: str,
) -> None:
    """The real order follows; its answers get their own fifteen days, and then it is done."""
    audit = DisposingAudit()
    early = Producer("retention").certified(RECORD, order=order, at=LONG_AGO)
    ids = await certified(audit, [], early)
    audit.stores.clock.advance(WAIT - timedelta(days=1))
    await audit.stores.arrive(
        [
            *_at(audit.stores.clock.now(), receipts()),
            Producer("retention").certified(RECORD, at=audit.stores.clock.now()),
        ]
    )
    await audit.stores.sequence()
    audit.stores.clock.advance(WAIT - timedelta(seconds=1))
    await audit.run()
    assert set(ids) <= set(await readable(audit.stores))
    audit.stores.clock.advance(timedelta(seconds=1) + WAIT)
    await audit.run()
    assert [(each.record_id, each.order_id) for each in audit.receipts()] == [(RECORD, ORDER)]


def _at(at: datetime, messages: Sequence[Encoded]) -> list[Encoded]:
    services = [each.headers["ce_source"].rpartition("/")[2] for each in messages]
    return [Producer(each).destroyed(RECORD, at=at) for each in services]


async def test_many_false_certificates_keep_no_honest_one_waiting() -> None:
    audit = DisposingAudit()
    false = [f"open-{number}" for number in range(300)]
    await certified(audit, receipts(), Producer("retention").certified(*false, at=LONG_AGO))
    await audit.disposition.note(received(Producer("retention").certified(RECORD)).event)
    audit.stores.clock.advance(WAIT)
    for _ in range(4):
        await audit.run()
    assert [each.record_id for each in audit.receipts()] == [RECORD]


# ---------------------------------------------------------------- bodies, times, numbers

BEFORE, AHEAD = timedelta(days=14, minutes=1), timedelta(minutes=6)
FAR = (
    "0001-01-01T00:00:00Z",
    "1970-01-01T00:00:00Z",
    "2999-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
)
NEAR = (isoformat(START - BEFORE), isoformat(START + AHEAD))


def occurred(at: str) -> bytes:
    return json.dumps(access("intake", time={"occurred_at": at})).encode()


def with_member(text: str) -> bytes:
    """An honest body and one member more, which the schema does not know."""
    return ("{" + text + "," + json.dumps(access("intake"))[1:]).encode()


def nested(depth: int) -> str:
    return '"x":' + "[" * depth + "]" * depth


def numbered(**changes: object) -> bytes:
    return json.dumps(access("intake", **changes)).encode()


BODIES: Mapping[str, bytes] = {
    **{f"occurred-{at[:10]}": occurred(at) for at in (*FAR, *NEAR)},
    "action-twice": with_member('"action":"void"'),
    "outcome-twice": with_member('"outcome":"denied"'),
    "agent-twice": with_member('"agent":{"id":"zoe"}'),
    "member-twice-below": with_member('"x":{"a":1,"a":2}'),
    "member-twice-in-a-list": with_member('"x":[{"a":1,"a":1}]'),
    "nan": with_member('"x":NaN'),
    "infinity": with_member('"x":Infinity'),
    "minus-infinity": with_member('"x":[-Infinity]'),
    "overflowing-to-infinity": with_member('"x":1e999'),
    "huge-float": with_member('"x":1e300'),
    "half-a-character": with_member('"x":"\\ud800"'),
    "half-a-character-as-name": with_member('"\\udfff":1'),
    "nested-33": with_member(nested(33)),
    "nested-190": with_member(nested(190)),
    "five-thousand-digits": with_member('"x":' + "9" * 5_000),
    "two-to-the-53": with_member(f'"x":{2**53}'),
    "minus-two-to-the-53": with_member(f'"x":{-(2**53)}'),
    "sequence-2**53": numbered(time={"sequence": 2**53}),
    "sequence-2**63": numbered(time={"sequence": 2**63}),
    "count-100001": numbered(outcome="denied", count=100_001),
    "count-2**63-1": numbered(outcome="denied", count=2**63 - 1),
    "count-2**70": numbered(outcome="denied", count=2**70),
    "found-less-than-none": numbered(what={"result_count": -1}),
    "found-2**63": numbered(what={"result_count": 2**63}),
}


def sent(
    body: bytes, at: str = NOW, service: str = "intake", kind: str = "pii.accessed"
) -> Encoded:
    """The body under a good signature."""
    plain = message(service, kind, {}, at=at)
    signer = Signer(f"{service}-1", private_key(service))
    return signer.sign(dataclasses.replace(plain, body=body))


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_what_nobody_could_read_or_count_is_no_entry(body: bytes) -> None:
    poisoned = sent(body)
    try:
        decode(poisoned.headers, poisoned.body)
    except DecodeError:
        return
    assert not refused_by_signature(poisoned)
    assert await refused_by_audit(poisoned)


@pytest.mark.parametrize("at", [*FAR, *NEAR])
async def test_an_event_dated_far_away_is_no_entry(at: str) -> None:
    assert await refused_by_audit(sent(occurred(NOW), at=at))


@pytest.mark.parametrize("kind", ["record.destroyed", "disposition.certified"])
@pytest.mark.parametrize("at", [*FAR, *NEAR])
async def test_nor_is_a_disposition_of_another_age(kind: str, at: str) -> None:
    service = "geo" if kind == "record.destroyed" else "retention"
    body = destroyed("geo") | {"destroyed_at": at} if service == "geo" else CERTIFICATE
    told = {**body, "certified_at": at} if service == "retention" else body
    assert await refused_by_audit(message(service, kind, told))


HONEST: Mapping[str, bytes] = {
    "now": occurred(NOW),
    "thirteen-days-ago": occurred(isoformat(START - timedelta(days=13, hours=23))),
    "four-minutes-ahead": occurred(isoformat(START + timedelta(minutes=4))),
    "a-member-of-a-later-version": with_member('"x":{"a":[1,2.5,null,true,"\\u00e9"]}'),
    "largest-number": numbered(time={"sequence": 2**53 - 1}),
    "many-refusals": numbered(outcome="denied", count=100_000),
    "nothing-found": numbered(what={"result_count": 0}),
}


@pytest.mark.parametrize("body", HONEST.values(), ids=HONEST)
async def test_an_honest_event_is_taken_and_verifies_offline(body: bytes) -> None:
    told = sent(body)
    assert not await refused_by_audit(told)
    assert not refused_offline(told)


async def test_a_dead_letter_says_what_kind_of_poison_it_was() -> None:
    kinds = {
        "occurred-0001-01-01": "ClockError",
        "nan": "MalformedEventError",
        "count-100001": "BoundsError",
    }
    receiving = Receiving(InMemoryInbox(), SetClock(START), TimeOrderedIds())
    for name, kind in kinds.items():
        ((_, error),) = await receiving.take([received(sent(BODIES[name]))])
        assert type(error).__name__ == kind


# ---------------------------------------------------------------- stored before there was a gate


async def stored(audit: Questions, body: bytes) -> str | None:
    """An entry of a body that would be refused today, between two honest ones; its event's id."""
    told = sent(body)
    try:
        came = received(told)
    except DecodeError:
        return None
    event = _offline(told)
    await audit.stores.arrive([Producer().access(RECORD)])
    batch = InboxBatch(
        TimeOrderedIds().new(), START, (QueuedEvent(event, facts_of(came.event)),), {}
    )
    await audit.stores.inbox.put([batch])
    await audit.stores.arrive([Producer().access(RECORD)])
    await audit.stores.sequence()
    return came.event.id


def _offline(told: Encoded) -> offline.Event:
    headers = told.headers
    return offline.Event(
        id=headers["ce_id"],
        type=headers["ce_type"],
        source=headers["ce_source"],
        subject=headers["ce_subject"],
        time=headers["ce_time"],
        body=told.body,
        keyid=headers["ce_keyid"],
        signature=bytes.fromhex(headers["ce_signature"]),
    )


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_page_with_a_bad_body_shows_the_others(body: bytes) -> None:
    audit = Questions()
    event_id = await stored(audit, body)
    page = await audit.reading.page(ASKING, Filter(record_ids=(RECORD,)), limit=10, cursor=None)
    entries = [entry_of(each) for each in page.entries]
    if event_id is None:
        return
    assert len(entries) == 3
    answer = b"".join(each.model_dump_json().encode() for each in entries)
    assert answer
    others = [each for each in entries if each.event_id != event_id]
    assert all(each.readable for each in others)
    one, _ = await audit.reading.one(ASKING, event_id)
    json.dumps(one.event, allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_bundle_with_a_bad_body_is_a_bundle(body: bytes) -> None:
    audit = Questions()
    if await stored(audit, body) is None:
        return
    report = verify_bundle(await audit.bundle(Filter(record_ids=(RECORD,))), TRUST, KEYS)
    assert report.ok, report


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_nobody_who_watches_stops_at_it(body: bytes) -> None:
    audit = Questions()
    if await stored(audit, body) is None:
        return
    stores = audit.stores
    rules = load_volume_rules().content.rules
    volume = Volume(rules, stores.alarms, stores.entries, stores.clock)
    numbers = InMemoryNumbers()
    numbering = Numbering(numbers, stores.alarms, stores.clock, ["intake"])
    watch = InMemoryWatch()
    await LogTailer([numbering, volume], stores.followed, stores.entries, watch).step()
    assert await watch.place(LogTailer.NAME) == 3
    await numbering.step({"intake": []}, [])
    again = Volume(rules, stores.alarms, stores.entries, stores.clock)
    await again.see(await stores.entries.summaries(2, 3))


@pytest.mark.parametrize("at", [*FAR, *NEAR])
@pytest.mark.parametrize("rule", ["many-refusals", "many-records-by-one"])
async def test_an_entry_of_another_age_silences_no_alarm(at: str, rule: str) -> None:
    """Refusals of another age raise the alarm that they are; so do real ones later."""
    log, alarms, clock = InMemoryLog(), InMemoryAlarms(), SetClock(START)
    volume = Volume(load_volume_rules().content.rules, alarms, log, clock)
    denied = rule == "many-refusals"

    async def see(first: int, when: datetime, number: int) -> None:
        told = [
            Facts(
                event_id=f"event-{first + each}",
                event="pii.accessed",
                service="intake",
                record_ids=(f"r-{first + each}",),
                actor="maria",
                roles=("agent",),
                action="view",
                outcome="denied" if denied else "success",
                occurred_at=when,
            )
            for each in range(number)
        ]
        now = clock.now()
        await volume.see([EntrySummary(first + i, f.event_id, now, f) for i, f in enumerate(told)])

    false = datetime.fromisoformat(at)
    await see(0, false, 400)
    raised = len(alarms.raised)
    assert raised == 1
    clock.advance(timedelta(hours=2))
    await see(400, clock.now(), 400)
    assert len(alarms.raised) == raised + 1


@pytest.mark.parametrize("counts", [(2**63 - 1, 2**63 - 1), (2**62, 2**62), (2**63 - 1, 1)])
async def test_numbers_that_no_sum_would_hold_are_counted_as_the_largest(
    counts: tuple[int, int],
) -> None:
    audit = Questions()
    for count in counts:
        await stored(audit, numbered(outcome="denied", count=count))
    head = await audit.stores.log.head()
    query = Filter(outcome="denied")
    (group,) = await audit.stores.entries.groups(query, (), before=head.size, floor=0)
    assert group.times == sum(min(count, MOST_COUNTED) for count in counts)
    (total,) = [stage["$group"]["times"] for stage in grouping(()) if "$group" in stage]
    assert total == {"$sum": {"$min": [{"$ifNull": ["$count", 1]}, MOST_COUNTED]}}


# ---------------------------------------------------------------- dated into another day

TODAY = START.replace(hour=0)
BACKDATED = {
    "minutes": timedelta(minutes=30),
    "hours": timedelta(hours=20),
    "days": timedelta(days=5),
    "as-far-as-the-gate": timedelta(days=13, hours=23),
}
QUESTIONS = {
    "since-today": Filter(since=TODAY),
    "since-today-of-a-record": Filter(record_ids=(RECORD,), since=TODAY),
    "today-alone": Filter(since=TODAY, until=START + timedelta(minutes=1)),
    "this-minute": Filter(since=START - timedelta(minutes=1), until=START + timedelta(minutes=1)),
    "of-a-service": Filter(service="intake", since=START - timedelta(minutes=1)),
}


@pytest.mark.parametrize("back", BACKDATED.values(), ids=BACKDATED)
@pytest.mark.parametrize("query", QUESTIONS.values(), ids=QUESTIONS)
async def test_an_opening_of_today_is_found_today_whatever_date_it_bears(
    query: Filter, back: timedelta
) -> None:
    audit = Questions()
    await audit.log(Producer().access(RECORD, at=START - back))
    page = await audit.reading.page(ASKING, query, limit=10, cursor=None)
    assert [each.row.facts.record_ids for each in page.entries if each.row.facts] == [(RECORD,)]
    tally = await audit.counting.tally(ASKING, query, ("actor",), 10)
    assert tally.entries == 1
    scope = await audit.breach.scope(ASKING, query, "Bearer t", START.date())
    assert [each.record_id for each in scope.records] == [RECORD]
    outflow = await audit.exporting.export(ASKING, query)
    assert outflow.entries == 1


@pytest.mark.parametrize("back", BACKDATED.values(), ids=BACKDATED)
async def test_it_is_found_on_the_day_that_it_bears_too(back: timedelta) -> None:
    audit = Questions()
    await audit.log(Producer().access(RECORD, at=START - back))
    second = timedelta(seconds=1)
    query = Filter(since=START - back - second, until=START - back + second)
    page = await audit.reading.page(ASKING, query, limit=10, cursor=None)
    assert len(page.entries) == 1
    before = Filter(until=START - back - second)
    page = await audit.reading.page(ASKING, before, limit=10, cursor=None)
    assert not page.entries


@pytest.mark.parametrize("at", FAR[:2])
async def test_so_is_one_that_was_stored_before_there_was_a_gate(at: str) -> None:
    audit = Questions()
    assert await stored(audit, occurred(at))
    page = await audit.reading.page(ASKING, Filter(since=TODAY), limit=10, cursor=None)
    assert len(page.entries) == 3
