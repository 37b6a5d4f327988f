"""Reading the log is written down before it happens, and what is read can be proved."""

import json
from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

import pytest

from direct311.audit.entry import Filter
from direct311.audit.log.handlers.keyring import KeyRing
from direct311.audit.questions.handlers import read
from direct311.audit.questions.handlers.audited_query import Opened, QueryContext
from direct311.runtime.access.ledger import AuditUnavailableError
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.problem_codes import status_of
from direct311.runtime.vault.keys import FileKeyProvider, KeyProviderError
from direct311.runtime.vault.vault import DeniedError
from direct311.verifier.bundle import verify_bundle
from direct311.verifier.merkle import verify_consistency
from direct311.verifier.proof import TlogProof
from direct311.verifier.report import Fault
from tests.unit.audit.events import OTHER, RECORD, START, THIRD, Producer, producers
from tests.unit.audit.fakes import InMemoryLog
from tests.unit.audit.log_contract import PROVIDER, readable
from tests.unit.audit.world import ASKING, AUDITOR, TRUST, World

pytestmark = pytest.mark.anyio


@pytest.fixture
def world() -> World:
    return World()


def ids_of(opened: Sequence[Opened]) -> list[str]:
    return [each.row.event_id for each in opened]


async def test_a_call_is_one_event_and_it_comes_first(world: World) -> None:
    first, second = await world.log(Producer().access(RECORD), Producer().access(OTHER))
    page = await world.reading.page(ASKING, Filter(), limit=10)
    assert ids_of(page.entries) == [second, first]
    (event,) = world.access_log.events()
    assert world.access_log.fetched_before == [0]
    assert (event.action, event.outcome, event.agent.id) == ("log_read", "success", "ada")
    assert (event.why.purpose, event.why.reference) == ("authorised_audit", "Letter 12")
    assert event.what.result_count == 2
    assert event.what.fields == ("audit_entry",)
    assert {fetch for _, fetch in world.keys.fetches} == {page.access_event}
    shown = page.entries[0].event
    assert shown is not None
    assert shown["body"]["what"]["record_ids"] == [OTHER]


async def test_without_the_event_nothing_is_opened(world: World) -> None:
    await world.log(Producer().access(RECORD))
    world.access_log.down = True
    for question in (
        world.reading.page(ASKING, Filter(), limit=10),
        world.reading.bundle(ASKING, Filter()),
        world.reading.person(ASKING, {"phone": "305"}, "Bearer t", Filter(), limit=10),
        world.reading.one(ASKING, str(uuid4())),
    ):
        with pytest.raises(AuditUnavailableError):
            await question
    assert world.keys.fetches == []


@pytest.mark.parametrize(
    ("caller", "reference", "rule", "status"),
    [
        (Caller("maria", ("agent",)), "Letter 12", "refused:role", 403),
        (Caller("rosa", ("custodian", "records_officer")), "Letter 12", "refused:role", 403),
        (AUDITOR, None, "refused:reference", 422),
        (AUDITOR, "  ", "refused:reference", 422),
    ],
)
async def test_a_refusal_opens_nothing_and_is_an_event(
    world: World, caller: Caller, reference: str | None, rule: str, status: int
) -> None:
    await world.log(Producer().access(RECORD))
    world.people.records["305"] = [RECORD]

    def context(operation: str) -> QueryContext:
        return QueryContext(caller, operation, reference)

    for question in (
        world.reading.page(context("page"), Filter(), limit=10),
        world.reading.person(context("person"), {"phone": "305"}, "Bearer t", Filter(), limit=10),
        world.reading.bundle(context("bundle"), Filter()),
    ):
        with pytest.raises(DeniedError) as refused:
            await question
        assert status_of(refused.value) == status
    assert [(event.outcome, event.decision.rule) for event in world.access_log.events()] == [
        ("denied", rule)
    ] * 3
    assert world.keys.fetches == []
    assert world.people.asked == []


async def test_its_own_event_becomes_an_entry_and_causes_no_other(world: World) -> None:
    await world.log(Producer().access(RECORD))
    await world.reading.page(ASKING, Filter(record_ids=(RECORD,)), limit=10)
    (sent,) = world.access_log.entries
    await world.log(sent.message)
    assert len(world.access_log.entries) == 1
    page = await world.reading.page(ASKING, Filter(record_ids=(RECORD,)), limit=10)
    assert [each.row.facts.action for each in page.entries if each.row.facts] == [
        "log_read",
        "view",
    ]


async def test_pages_neither_miss_nor_repeat_while_the_log_grows(world: World) -> None:
    ids = await world.log(*(Producer().access(RECORD) for _ in range(25)))
    query = Filter(record_ids=(RECORD,))
    found: list[str] = []
    cursor = None
    for _ in range(10):
        page = await world.reading.page(ASKING, query, limit=4, cursor=cursor)
        found += ids_of(page.entries)
        await world.log(Producer().access(RECORD))
        cursor = page.next
        if cursor is None:
            break
    assert found == ids[::-1]


async def test_a_cursor_from_another_query_is_refused(world: World) -> None:
    await world.log(*(Producer().access(RECORD) for _ in range(3)))
    page = await world.reading.page(ASKING, Filter(), limit=1)
    with pytest.raises(RefusedError) as refused:
        await world.reading.page(ASKING, Filter(actor="maria"), limit=1, cursor=page.next)
    assert (status_of(refused.value), refused.value.field) == (400, "cursor")


async def test_a_cursor_is_good_for_its_own_person_alone(world: World) -> None:
    await world.log(*(Producer().access(each) for each in (OTHER, RECORD, RECORD, OTHER)))
    world.people.records = {"maria": [RECORD], "john": [OTHER]}
    _, page = await world.reading.person(ASKING, {"name": "maria"}, "t", Filter(), limit=1)
    for question in (
        world.reading.person(ASKING, {"name": "john"}, "t", Filter(), limit=1, cursor=page.next),
        world.reading.page(ASKING, Filter(), limit=1, cursor=page.next),
        world.reading.page(ASKING, Filter(record_ids=(RECORD,)), limit=1, cursor=page.next),
    ):
        with pytest.raises(RefusedError) as refused:
            await question
        assert (status_of(refused.value), refused.value.field) == (400, "cursor")


async def test_who_may_not_read_the_log_has_nothing_looked_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (event_id,) = await world.log(Producer().access(RECORD))
    for name in ("find", "groups", "by_event", "first_logged"):
        monkeypatch.setattr(InMemoryLog, name, _never)

    def context(operation: str) -> QueryContext:
        return QueryContext(Caller("pedro", ("department",)), operation, "Letter 12")

    for question in (
        world.reading.page(context("page"), Filter(field="phone"), limit=50),
        world.reading.page(context("next page"), Filter(), limit=50, cursor="1.x"),
        world.reading.one(context("one"), event_id),
    ):
        with pytest.raises(DeniedError):
            await question
    assert [event.outcome for event in world.access_log.events()] == ["denied"] * 3


async def _never(*_: object, **__: object) -> None:
    raise AssertionError("something was looked up")


async def test_times_bound_what_is_searched_and_found(world: World) -> None:
    producer = Producer()
    for day in range(40):
        world.stores.clock.at = START + timedelta(days=day)
        await world.log(producer.access(RECORD, at=world.stores.clock.at))
    query = Filter(since=START + timedelta(days=10), until=START + timedelta(days=12))
    page = await world.reading.page(ASKING, query, limit=10)
    assert [each.row.index for each in page.entries] == [12, 11, 10]


async def test_a_late_event_is_found_by_the_time_at_which_it_occurred(world: World) -> None:
    world.stores.clock.at = START + timedelta(days=13)
    (late,) = await world.log(Producer().access(RECORD, at=START))
    query = Filter(since=START, until=START + timedelta(hours=1))
    page = await world.reading.page(ASKING, query, limit=10)
    assert ids_of(page.entries) == [late]


async def test_who_saw_a_persons_data_goes_through_intake(world: World) -> None:
    world.people.records["+13055550142"] = [RECORD, THIRD]
    mine, _, about_both = await world.log(
        Producer().access(RECORD), Producer().access(OTHER), Producer().access(OTHER, THIRD)
    )
    records, page = await world.reading.person(
        ASKING, {"phone": "+13055550142"}, "Bearer auditor", Filter(), limit=10
    )
    assert list(records) == [RECORD, THIRD]
    assert ids_of(page.entries) == [about_both, mine]
    assert world.people.asked == [({"phone": "+13055550142"}, "Letter 12", "Bearer auditor")]
    (event,) = world.access_log.events()
    assert event.what.record_ids == (RECORD, THIRD)
    assert "5550142" not in world.access_log.entries[0].message.body.decode()


async def test_an_unknown_person_is_an_event_too(world: World) -> None:
    records, page = await world.reading.person(
        ASKING, {"name": "Nobody"}, "Bearer auditor", Filter(), limit=10
    )
    assert (list(records), list(page.entries)) == ([], [])
    assert [event.what.result_count for event in world.access_log.events()] == [0]


async def test_a_cursor_stays_good_when_the_person_gets_another_record(world: World) -> None:
    world.people.records["maria"] = [RECORD]
    ids = await world.log(*(Producer().access(RECORD) for _ in range(4)))
    person = {"name": "maria"}
    _, page = await world.reading.person(ASKING, person, "t", Filter(), limit=2)
    world.people.records["maria"] = [RECORD, OTHER]
    _, rest = await world.reading.person(ASKING, person, "t", Filter(), limit=2, cursor=page.next)
    assert ids_of(page.entries) + ids_of(rest.entries) == ids[::-1]


async def test_more_than_a_hundred_records_are_several_events(world: World) -> None:
    records = [str(uuid4()) for _ in range(250)]
    world.people.records["x"] = records
    await world.reading.person(ASKING, {"name": "x"}, "t", Filter(), limit=10)
    cited = [event.what.record_ids for event in world.access_log.events()]
    assert [len(each) for each in cited] == [100, 100, 50]
    assert [record for each in cited for record in each] == records


async def test_of_several_events_the_first_alone_says_what_is_opened(world: World) -> None:
    records = [str(uuid4()) for _ in range(150)]
    await world.log(*(Producer().access(each) for each in records))
    world.people.records["x"] = records
    _, page = await world.reading.person(ASKING, {"name": "x"}, "t", Filter(), limit=150)
    said = [(event.what.fields, event.what.result_count) for event in world.access_log.events()]
    assert said == [(("audit_entry",), 150), ((), None)]
    assert {name for _, name in world.keys.fetches} == {page.access_event}


async def test_an_entry_whose_record_is_gone_is_shown_as_unreadable(world: World) -> None:
    (gone,) = await world.log(Producer().access(RECORD))
    await world.keys.destroy(RECORD)
    await world.stores.forget(RECORD)
    opened, _ = await world.reading.one(ASKING, gone)
    assert opened.event is None
    assert opened.row.facts is None
    assert (await world.reading.page(ASKING, Filter(record_ids=(RECORD,)), limit=9)).entries == []


async def test_an_unknown_event_is_not_found_and_that_is_an_event(world: World) -> None:
    with pytest.raises(RefusedError) as refused:
        await world.reading.one(ASKING, str(uuid4()))
    assert status_of(refused.value) == 404
    assert [event.what.result_count for event in world.access_log.events()] == [0]


async def test_a_proof_verifies_by_itself(world: World) -> None:
    ids = await world.log(*(Producer().access(RECORD) for _ in range(300)))
    found = await world.reading.proof(ASKING, ids[17])
    proof = TlogProof(found.row.index, tuple(found.hashes), found.checkpoint)
    head = TlogProof.parse(str(proof)).verify(found.row.data, TRUST).checkpoint
    assert (head.size, found.row.index) == (300, 17)
    # Nothing was opened, so it is no access.
    assert world.access_log.entries == []


async def test_the_log_is_consistent_with_every_earlier_size(world: World) -> None:
    roots = []
    for _ in range(7):
        await world.log(*(Producer().access(RECORD) for _ in range(97)))
        roots.append((await world.stores.log.head()).root)
    for number, root in enumerate(roots, 1):
        found = await world.reading.consistency(number * 97, None)
        assert (found.old_root, found.new_root) == (root, roots[-1])
        verify_consistency(found.old, found.new, found.hashes, root, roots[-1])
    between = await world.reading.consistency(97, 5 * 97)
    verify_consistency(97, 5 * 97, between.hashes, roots[0], roots[4])
    with pytest.raises(RefusedError):
        await world.reading.consistency(0, 10_000)


async def test_a_bundle_verifies_offline_and_tampering_is_found(world: World) -> None:
    await world.log(
        *(Producer().access(RECORD if n % 3 else OTHER, actor=f"a{n % 2}") for n in range(30))
    )
    await world.keys.destroy(OTHER)
    await world.stores.forget(OTHER)
    data = await world.bundle(Filter())
    report = verify_bundle(data, TRUST, producers())
    assert report.ok, report.text
    document = json.loads(data)
    assert len(document["receipts"]) == 30
    assert sum(each["event"] is None for each in document["receipts"]) == 10
    (event,) = world.access_log.events()
    assert (event.action, event.what.result_count) == ("export", 30)

    shown = next(each for each in document["receipts"] if each["event"])
    shown["event"]["body"]["agent"]["id"] = "somebody-else"
    report = verify_bundle(json.dumps(document).encode(), TRUST, producers())
    assert [finding.fault for finding in report.findings] == [Fault.SHOWN]


async def test_a_bundle_has_what_its_filter_says(world: World) -> None:
    await world.log(*(Producer().access(RECORD, actor=f"a{number % 3}") for number in range(9)))
    document = json.loads(await world.bundle(Filter(actor="a1")))
    assert [each["index"] for each in document["receipts"]] == [1, 4, 7]


async def test_too_large_a_bundle_is_refused_before_anything_is_opened(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "MOST_IN_A_BUNDLE", 3)
    await world.log(*(Producer().access(RECORD) for _ in range(4)))
    with pytest.raises(RefusedError) as refused:
        await world.bundle(Filter())
    assert status_of(refused.value) == 422
    assert world.keys.fetches == []
    (event,) = world.access_log.events()
    assert (event.what.fields, event.what.result_count) == ((), 4)


async def test_a_wrong_key_encryption_key_is_told_at_the_start(world: World) -> None:
    await world.stores.keyring.check(START)
    await KeyRing(world.keys, PROVIDER).check(START)
    with pytest.raises(KeyProviderError):
        await KeyRing(world.keys, FileKeyProvider("kek-1", {"kek-1": b"x" * 32})).check(START)
    with pytest.raises(KeyProviderError):
        await KeyRing(world.keys, FileKeyProvider("kek-2", {"kek-2": bytes(32)})).check(START)
    assert await readable(world.stores) == []
