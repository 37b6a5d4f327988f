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
from tests.unit.audit.audit_under_test import ASKING, AUDITOR, TRUST, AuditUnderTest
from tests.unit.audit.events import OTHER, RECORD, START, THIRD, Producer, producers
from tests.unit.audit.fakes import InMemoryLog
from tests.unit.audit.log_contract import PROVIDER, readable

pytestmark = pytest.mark.anyio


@pytest.fixture
def audit() -> AuditUnderTest:
    return AuditUnderTest()


def ids_of(opened: Sequence[Opened]) -> list[str]:
    return [each.row.event_id for each in opened]


async def test_a_call_is_one_event_and_it_comes_first(audit: AuditUnderTest) -> None:
    first, second = await audit.log(Producer().access(RECORD), Producer().access(OTHER))
    page = await audit.reading.page(ASKING, Filter(), limit=10)
    assert ids_of(page.entries) == [second, first]
    (event,) = audit.access_log.events()
    assert audit.access_log.fetched_before == [0]
    assert (event.action, event.outcome, event.agent.id) == ("log_read", "success", "ada")
    assert (event.why.purpose, event.why.reference) == ("authorised_audit", "Letter 12")
    assert event.what.result_count == 2
    assert event.what.fields == ("audit_entry",)
    assert {fetch for _, fetch in audit.keys.fetches} == {page.access_event}
    shown = page.entries[0].event
    assert shown is not None
    assert shown["body"]["what"]["record_ids"] == [OTHER]


async def test_without_the_event_nothing_is_opened(audit: AuditUnderTest) -> None:
    await audit.log(Producer().access(RECORD))
    audit.access_log.down = True
    for question in (
        audit.reading.page(ASKING, Filter(), limit=10),
        audit.reading.bundle(ASKING, Filter()),
        audit.reading.person(ASKING, {"phone": "305"}, "Bearer t", Filter(), limit=10),
        audit.reading.one(ASKING, str(uuid4())),
    ):
        with pytest.raises(AuditUnavailableError):
            await question
    assert audit.keys.fetches == []


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
    audit: AuditUnderTest, caller: Caller, reference: str | None, rule: str, status: int
) -> None:
    await audit.log(Producer().access(RECORD))
    audit.people.records["305"] = [RECORD]

    def context(operation: str) -> QueryContext:
        return QueryContext(caller, operation, reference)

    for question in (
        audit.reading.page(context("page"), Filter(), limit=10),
        audit.reading.person(context("person"), {"phone": "305"}, "Bearer t", Filter(), limit=10),
        audit.reading.bundle(context("bundle"), Filter()),
    ):
        with pytest.raises(DeniedError) as refused:
            await question
        assert status_of(refused.value) == status
    assert [(event.outcome, event.decision.rule) for event in audit.access_log.events()] == [
        ("denied", rule)
    ] * 3
    assert audit.keys.fetches == []
    assert audit.people.asked == []


async def test_its_own_event_becomes_an_entry_and_causes_no_other(audit: AuditUnderTest) -> None:
    await audit.log(Producer().access(RECORD))
    await audit.reading.page(ASKING, Filter(record_ids=(RECORD,)), limit=10)
    (sent,) = audit.access_log.entries
    await audit.log(sent.message)
    assert len(audit.access_log.entries) == 1
    page = await audit.reading.page(ASKING, Filter(record_ids=(RECORD,)), limit=10)
    assert [each.row.facts.action for each in page.entries if each.row.facts] == [
        "log_read",
        "view",
    ]


async def test_pages_neither_miss_nor_repeat_while_the_log_grows(audit: AuditUnderTest) -> None:
    ids = await audit.log(*(Producer().access(RECORD) for _ in range(25)))
    query = Filter(record_ids=(RECORD,))
    found: list[str] = []
    cursor = None
    for _ in range(10):
        page = await audit.reading.page(ASKING, query, limit=4, cursor=cursor)
        found += ids_of(page.entries)
        await audit.log(Producer().access(RECORD))
        cursor = page.next
        if cursor is None:
            break
    assert found == ids[::-1]


async def test_a_cursor_from_another_query_is_refused(audit: AuditUnderTest) -> None:
    await audit.log(*(Producer().access(RECORD) for _ in range(3)))
    page = await audit.reading.page(ASKING, Filter(), limit=1)
    with pytest.raises(RefusedError) as refused:
        await audit.reading.page(ASKING, Filter(actor="maria"), limit=1, cursor=page.next)
    assert (status_of(refused.value), refused.value.field) == (400, "cursor")


async def test_a_cursor_is_good_for_its_own_person_alone(audit: AuditUnderTest) -> None:
    await audit.log(*(Producer().access(each) for each in (OTHER, RECORD, RECORD, OTHER)))
    audit.people.records = {"maria": [RECORD], "john": [OTHER]}
    _, page = await audit.reading.person(ASKING, {"name": "maria"}, "t", Filter(), limit=1)
    for question in (
        audit.reading.person(ASKING, {"name": "john"}, "t", Filter(), limit=1, cursor=page.next),
        audit.reading.page(ASKING, Filter(), limit=1, cursor=page.next),
        audit.reading.page(ASKING, Filter(record_ids=(RECORD,)), limit=1, cursor=page.next),
    ):
        with pytest.raises(RefusedError) as refused:
            await question
        assert (status_of(refused.value), refused.value.field) == (400, "cursor")


async def test_who_may_not_read_the_log_has_nothing_looked_up(
    audit: AuditUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    (event_id,) = await audit.log(Producer().access(RECORD))
    for name in ("find", "groups", "by_event", "first_logged"):
        monkeypatch.setattr(InMemoryLog, name, _never)

    def context(operation: str) -> QueryContext:
        return QueryContext(Caller("pedro", ("department",)), operation, "Letter 12")

    for question in (
        audit.reading.page(context("page"), Filter(field="phone"), limit=50),
        audit.reading.page(context("next page"), Filter(), limit=50, cursor="1.x"),
        audit.reading.one(context("one"), event_id),
    ):
        with pytest.raises(DeniedError):
            await question
    assert [event.outcome for event in audit.access_log.events()] == ["denied"] * 3


async def _never(*_: object, **__: object) -> None:
    raise AssertionError("something was looked up")


async def test_times_bound_what_is_searched_and_found(audit: AuditUnderTest) -> None:
    producer = Producer()
    for day in range(40):
        audit.stores.clock.at = START + timedelta(days=day)
        await audit.log(producer.access(RECORD, at=audit.stores.clock.at))
    query = Filter(since=START + timedelta(days=10), until=START + timedelta(days=12))
    page = await audit.reading.page(ASKING, query, limit=10)
    assert [each.row.index for each in page.entries] == [12, 11, 10]


async def test_a_late_event_is_found_by_the_time_at_which_it_occurred(
    audit: AuditUnderTest,
) -> None:
    audit.stores.clock.at = START + timedelta(days=13)
    (late,) = await audit.log(Producer().access(RECORD, at=START))
    query = Filter(since=START, until=START + timedelta(hours=1))
    page = await audit.reading.page(ASKING, query, limit=10)
    assert ids_of(page.entries) == [late]


async def test_who_saw_a_persons_data_goes_through_intake(audit: AuditUnderTest) -> None:
    audit.people.records["+13055550142"] = [RECORD, THIRD]
    mine, _, about_both = await audit.log(
        Producer().access(RECORD), Producer().access(OTHER), Producer().access(OTHER, THIRD)
    )
    records, page = await audit.reading.person(
        ASKING, {"phone": "+13055550142"}, "Bearer auditor", Filter(), limit=10
    )
    assert list(records) == [RECORD, THIRD]
    assert ids_of(page.entries) == [about_both, mine]
    assert audit.people.asked == [({"phone": "+13055550142"}, "Letter 12", "Bearer auditor")]
    (event,) = audit.access_log.events()
    assert event.what.record_ids == (RECORD, THIRD)
    assert "5550142" not in audit.access_log.entries[0].message.body.decode()


async def test_an_unknown_person_is_an_event_too(audit: AuditUnderTest) -> None:
    records, page = await audit.reading.person(
        ASKING, {"name": "Nobody"}, "Bearer auditor", Filter(), limit=10
    )
    assert (list(records), list(page.entries)) == ([], [])
    assert [event.what.result_count for event in audit.access_log.events()] == [0]


async def test_a_cursor_stays_good_when_the_person_gets_another_record(
    audit: AuditUnderTest,
) -> None:
    audit.people.records["maria"] = [RECORD]
    ids = await audit.log(*(Producer().access(RECORD) for _ in range(4)))
    person = {"name": "maria"}
    _, page = await audit.reading.person(ASKING, person, "t", Filter(), limit=2)
    audit.people.records["maria"] = [RECORD, OTHER]
    _, rest = await audit.reading.person(ASKING, person, "t", Filter(), limit=2, cursor=page.next)
    assert ids_of(page.entries) + ids_of(rest.entries) == ids[::-1]


async def test_more_than_a_hundred_records_are_several_events(audit: AuditUnderTest) -> None:
    records = [str(uuid4()) for _ in range(250)]
    audit.people.records["x"] = records
    await audit.reading.person(ASKING, {"name": "x"}, "t", Filter(), limit=10)
    cited = [event.what.record_ids for event in audit.access_log.events()]
    assert [len(each) for each in cited] == [100, 100, 50]
    assert [record for each in cited for record in each] == records


async def test_of_several_events_the_first_alone_says_what_is_opened(audit: AuditUnderTest) -> None:
    records = [str(uuid4()) for _ in range(150)]
    await audit.log(*(Producer().access(each) for each in records))
    audit.people.records["x"] = records
    _, page = await audit.reading.person(ASKING, {"name": "x"}, "t", Filter(), limit=150)
    said = [(event.what.fields, event.what.result_count) for event in audit.access_log.events()]
    assert said == [(("audit_entry",), 150), ((), None)]
    assert {name for _, name in audit.keys.fetches} == {page.access_event}


async def test_an_entry_whose_record_is_gone_is_shown_as_unreadable(audit: AuditUnderTest) -> None:
    (gone,) = await audit.log(Producer().access(RECORD))
    await audit.keys.destroy(RECORD)
    await audit.stores.forget(RECORD)
    opened, _ = await audit.reading.one(ASKING, gone)
    assert opened.event is None
    assert opened.row.facts is None
    assert (await audit.reading.page(ASKING, Filter(record_ids=(RECORD,)), limit=9)).entries == []


async def test_an_unknown_event_is_not_found_and_that_is_an_event(audit: AuditUnderTest) -> None:
    with pytest.raises(RefusedError) as refused:
        await audit.reading.one(ASKING, str(uuid4()))
    assert status_of(refused.value) == 404
    assert [event.what.result_count for event in audit.access_log.events()] == [0]


async def test_a_proof_verifies_by_itself(audit: AuditUnderTest) -> None:
    ids = await audit.log(*(Producer().access(RECORD) for _ in range(300)))
    found = await audit.reading.proof(ASKING, ids[17])
    proof = TlogProof(found.row.index, tuple(found.hashes), found.checkpoint)
    head = TlogProof.parse(str(proof)).verify(found.row.data, TRUST).checkpoint
    assert (head.size, found.row.index) == (300, 17)
    # Nothing was opened, so it is no access.
    assert audit.access_log.entries == []


async def test_the_log_is_consistent_with_every_earlier_size(audit: AuditUnderTest) -> None:
    roots = []
    for _ in range(7):
        await audit.log(*(Producer().access(RECORD) for _ in range(97)))
        roots.append((await audit.stores.log.head()).root)
    for number, root in enumerate(roots, 1):
        found = await audit.reading.consistency(number * 97, None)
        assert (found.old_root, found.new_root) == (root, roots[-1])
        verify_consistency(found.old, found.new, found.hashes, root, roots[-1])
    between = await audit.reading.consistency(97, 5 * 97)
    verify_consistency(97, 5 * 97, between.hashes, roots[0], roots[4])
    with pytest.raises(RefusedError):
        await audit.reading.consistency(0, 10_000)


async def test_a_bundle_verifies_offline_and_tampering_is_found(audit: AuditUnderTest) -> None:
    await audit.log(
        *(Producer().access(RECORD if n % 3 else OTHER, actor=f"a{n % 2}") for n in range(30))
    )
    await audit.keys.destroy(OTHER)
    await audit.stores.forget(OTHER)
    data = await audit.bundle(Filter())
    report = verify_bundle(data, TRUST, producers())
    assert report.ok, report.text
    document = json.loads(data)
    assert len(document["receipts"]) == 30
    assert sum(each["event"] is None for each in document["receipts"]) == 10
    (event,) = audit.access_log.events()
    assert (event.action, event.what.result_count) == ("export", 30)

    shown = next(each for each in document["receipts"] if each["event"])
    shown["event"]["body"]["agent"]["id"] = "somebody-else"
    report = verify_bundle(json.dumps(document).encode(), TRUST, producers())
    assert [finding.fault for finding in report.findings] == [Fault.SHOWN]


async def test_a_bundle_has_what_its_filter_says(audit: AuditUnderTest) -> None:
    await audit.log(*(Producer().access(RECORD, actor=f"a{number % 3}") for number in range(9)))
    document = json.loads(await audit.bundle(Filter(actor="a1")))
    assert [each["index"] for each in document["receipts"]] == [1, 4, 7]


async def test_too_large_a_bundle_is_refused_before_anything_is_opened(
    audit: AuditUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "MOST_IN_A_BUNDLE", 3)
    await audit.log(*(Producer().access(RECORD) for _ in range(4)))
    with pytest.raises(RefusedError) as refused:
        await audit.bundle(Filter())
    assert status_of(refused.value) == 422
    assert audit.keys.fetches == []
    (event,) = audit.access_log.events()
    assert (event.what.fields, event.what.result_count) == ((), 4)


async def test_a_wrong_key_encryption_key_is_told_at_the_start(audit: AuditUnderTest) -> None:
    await audit.stores.keyring.check(START)
    await KeyRing(audit.keys, PROVIDER).check(START)
    with pytest.raises(KeyProviderError):
        await KeyRing(audit.keys, FileKeyProvider("kek-1", {"kek-1": b"x" * 32})).check(START)
    with pytest.raises(KeyProviderError):
        await KeyRing(audit.keys, FileKeyProvider("kek-2", {"kek-2": bytes(32)})).check(START)
    assert await readable(audit.stores) == []
