"""Case files: sealed, opened with an entry at their own desk, kept by schedule, destroyed."""

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256

import pytest
from fastapi import Request
from starlette.testclient import TestClient

from direct311.retention.cases.api import router
from direct311.retention.cases.domain import (
    TRANSITIONS,
    CaseContact,
    CaseFile,
    CaseKind,
    CaseRules,
    case_problems,
)
from direct311.runtime.access.ledger import AuditUnavailableError
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.vault.keys import FileKeyProvider
from direct311.runtime.vault.rotation import Rewrapping
from direct311.schemas import Event
from direct311.schemas import events as ev
from direct311.schemas.claims import overreach
from direct311.schemas.model import Model
from tests.unit.retention.cases.fakes import CaseDeskUnderTest
from tests.unit.retention.fakes import FOUR, LONG_AGO, START

pytestmark = pytest.mark.anyio

CUSTODIAN = Caller("carla", ("custodian",), token_id="t-1")
LIAISON = Caller("lars", ("liaison",), token_id="t-2")
WORDS = "Every complaint about Canary-Words Street since 2020."
CONTACT = CaseContact(name="Canary Contact", email="canary@contact.example")
LETTER = b"%PDF-1.7 canary letter"
HASH = sha256(LETTER).hexdigest()


@pytest.fixture
def county() -> CaseDeskUnderTest:
    return CaseDeskUnderTest()


async def opened(
    county: CaseDeskUnderTest,
    caller: Caller = CUSTODIAN,
    kind: CaseKind = "public_records",
    received_at: datetime | None = None,
) -> str:
    found = await county.desk.open_case(caller, kind, WORDS, CONTACT, received_at)
    return found.record_id


# ---------------------------------------------------------------- opening


async def test_nothing_that_a_requester_wrote_is_stored_in_clear(county: CaseDeskUnderTest) -> None:
    case_id = await opened(county)
    await county.desk.deposit(CUSTODIAN, case_id, "letter", HASH, LETTER)
    stored = county.files.state(case_id)
    everything = [repr(stored), repr(county.documents.versions), repr(county.access_log.entries)]
    for canary in ("Canary-Words", "Canary Contact", "canary@contact", "canary letter"):
        assert not any(canary in text for text in everything)
    assert set(stored.sealed) == {"case_request", "case_contact"}
    assert county.woken == 1


async def test_who_asks_may_stay_unknown(county: CaseDeskUnderTest) -> None:
    for contact in (None, CaseContact()):
        found = await county.desk.open_case(CUSTODIAN, "public_records", WORDS, contact, None)
        assert set(found.sealed) == {"case_request"}
        read = await county.desk.read_case(CUSTODIAN, found.record_id)
        assert (read.request, read.contact) == (WORDS, None)


async def test_a_case_cannot_have_been_received_tomorrow(county: CaseDeskUnderTest) -> None:
    with pytest.raises(RefusedError) as refused:
        await opened(county, received_at=START + timedelta(days=1))
    assert refused.value.code == "received_at"


async def test_each_desk_opens_only_its_own_kind(county: CaseDeskUnderTest) -> None:
    for caller, kind in ((CUSTODIAN, "law_enforcement"), (LIAISON, "public_records")):
        with pytest.raises(RefusedError) as refused:
            await county.desk.open_case(caller, kind, WORDS, None, None)  # type: ignore[arg-type]
        assert refused.value.code == "desk"
    assert not county.files.documents


# ---------------------------------------------------------------- reading


async def test_each_opening_is_an_entry_with_the_number_of_the_case(
    county: CaseDeskUnderTest,
) -> None:
    case_id = await opened(county)
    read = await county.desk.read_case(CUSTODIAN, case_id)
    assert (read.request, read.contact) == (WORDS, CONTACT)
    (entry,) = county.access_log.events()
    assert (entry.action, entry.outcome, entry.why.purpose) == (
        "view",
        "success",
        "county_business",
    )
    assert (entry.why.reference, entry.why.case_id) == (case_id, case_id)
    assert entry.what.record_ids == (case_id,)
    assert entry.what.fields == ("case_request", "case_contact")
    assert entry.retention.exempt_until is None
    assert overreach("retention", entry) is None
    assert [each.record_id for each in county.keys.fetches] == [case_id]


async def test_nothing_is_opened_while_the_log_is_away(county: CaseDeskUnderTest) -> None:
    case_id = await opened(county)
    await county.desk.deposit(CUSTODIAN, case_id, "letter", HASH, LETTER)
    fetched = len(county.keys.fetches)
    county.access_log.down = True
    with pytest.raises(AuditUnavailableError):
        await county.desk.read_case(CUSTODIAN, case_id)
    with pytest.raises(AuditUnavailableError):
        await county.desk.read_document(CUSTODIAN, case_id, HASH)
    with pytest.raises(AuditUnavailableError):
        await county.desk.deposit(CUSTODIAN, case_id, "letter", sha256(b"x").hexdigest(), b"x")
    assert len(county.keys.fetches) == fetched


async def test_for_another_desk_a_case_does_not_exist(county: CaseDeskUnderTest) -> None:
    own = await opened(county)
    other = await opened(county, LIAISON, "law_enforcement")
    for caller, case_id in ((CUSTODIAN, other), (LIAISON, own), (CUSTODIAN, "no-such-case")):
        for ask in (
            county.desk.read_case(caller, case_id),
            county.desk.read_document(caller, case_id, HASH),
            county.desk.deposit(caller, case_id, "letter", HASH, LETTER),
            county.desk.withdraw(caller, case_id),
        ):
            with pytest.raises(RefusedError) as refused:
                await ask
            assert refused.value.code == "unknown_case"
    assert [each.record_id for each in await county.desk.list_cases(CUSTODIAN, None, 9)] == [own]
    assert [each.record_id for each in await county.desk.list_cases(LIAISON, None, 9)] == [other]
    assert not county.keys.fetches


async def test_entries_about_a_law_enforcement_case_are_withheld_for_its_time(
    county: CaseDeskUnderTest,
) -> None:
    case_id = await opened(county, LIAISON, "law_enforcement")
    until = START + timedelta(days=90)
    await county.desk.read_case(LIAISON, case_id)
    county.clock.at = until
    await county.desk.read_case(LIAISON, case_id)
    during, after = county.access_log.events()
    assert during.retention.exempt_until == until
    assert after.retention.exempt_until is None
    assert overreach("retention", during) is None


# ---------------------------------------------------------------- documents


async def test_a_document_is_sealed_once_and_read_as_it_came(county: CaseDeskUnderTest) -> None:
    case_id = await opened(county)
    await county.desk.deposit(CUSTODIAN, case_id, "letter", HASH, LETTER)
    found = await county.desk.deposit(CUSTODIAN, case_id, "letter", HASH, LETTER)
    assert [(each.sha256, each.kind, each.size) for each in found.documents] == [
        (HASH, "letter", len(LETTER))
    ]
    assert await county.desk.read_document(CUSTODIAN, case_id, HASH) == LETTER
    assert [(each.action, each.what.fields) for each in county.access_log.events()] == [
        ("seal", ("case_letter",)),
        ("view", ("case_letter",)),
    ]
    with pytest.raises(RefusedError) as refused:
        await county.desk.read_document(CUSTODIAN, case_id, sha256(b"other").hexdigest())
    assert refused.value.code == "not_found"


@pytest.mark.parametrize("content", [b"", b"other bytes"])
async def test_bytes_that_do_not_have_their_hash_are_refused(
    county: CaseDeskUnderTest, content: bytes
) -> None:
    case_id = await opened(county)
    with pytest.raises(RefusedError) as refused:
        await county.desk.deposit(CUSTODIAN, case_id, "letter", HASH, content)
    assert refused.value.code == "sha256"
    assert not county.documents.versions


async def test_only_a_law_enforcement_case_takes_an_instrument(county: CaseDeskUnderTest) -> None:
    with pytest.raises(RefusedError) as refused:
        await county.desk.deposit(CUSTODIAN, await opened(county), "instrument", HASH, LETTER)
    assert refused.value.code == "document"
    case_id = await opened(county, LIAISON, "law_enforcement")
    await county.desk.deposit(LIAISON, case_id, "instrument", HASH, LETTER)
    assert await county.desk.read_document(LIAISON, case_id, HASH) == LETTER


async def test_a_closed_case_takes_no_document_and_can_still_be_read(
    county: CaseDeskUnderTest,
) -> None:
    case_id = await opened(county)
    await county.desk.deposit(CUSTODIAN, case_id, "letter", HASH, LETTER)
    await county.desk.withdraw(CUSTODIAN, case_id)
    closed = await county.desk.withdraw(CUSTODIAN, case_id)
    assert (closed.state, closed.outcome, closed.closed_at) == ("closed", "withdrawn", START)
    with pytest.raises(RefusedError) as refused:
        await county.desk.deposit(CUSTODIAN, case_id, "letter", sha256(b"x").hexdigest(), b"x")
    assert refused.value.code == "case_closed"
    assert (await county.desk.read_case(CUSTODIAN, case_id)).request == WORDS
    assert await county.desk.read_document(CUSTODIAN, case_id, HASH) == LETTER


async def test_a_case_is_read_after_its_key_was_wrapped_again(county: CaseDeskUnderTest) -> None:
    case_id = await opened(county)
    new = FileKeyProvider("kek-2", {"kek-1": bytes(32), "kek-2": bytes(range(32))})
    batch = await Rewrapping(county.keys, new).batch("", "WO-1")
    assert (batch.done, county.keys.keys[case_id].kek_id) == (1, "kek-2")
    county.vault._provider = new
    assert (await county.desk.read_case(CUSTODIAN, case_id)).request == WORDS


# ---------------------------------------------------------------- the schedule


async def test_both_kinds_look_the_same_in_the_inventory(county: CaseDeskUnderTest) -> None:
    """Its items, its dates and what is said about it do not tell that the police asked."""
    county.clock.at = LONG_AGO
    views = []
    for caller, kind in ((CUSTODIAN, "public_records"), (LIAISON, "law_enforcement")):
        case_id = await opened(county, caller, kind)  # type: ignore[arg-type]
        await county.filing.step()
        waiting = county.retention.record(case_id)
        assert (waiting.case_file, waiting.stage, waiting.eligible_on) == (True, "active", None)
        await county.desk.withdraw(caller, case_id)
        await county.filing.step()
        assert not county.files.state(case_id).unfiled
        # The fence counts openings of every kind.
        seen = county.retention.record(case_id).model_dump(exclude={"record_id", "fence"})
        views.append(seen)
    assert views[0] == views[1]
    # One fiscal year from 1 June 2015: the year ends on 30 September 2015, the next one in 2016.
    assert views[0]["items"] == (23, 374)
    assert str(views[0]["eligible_on"]) == "2016-10-01"


async def test_a_case_is_destroyed_by_order_with_its_key_and_documents(
    county: CaseDeskUnderTest,
) -> None:
    case_id = await opened(county, received_at=LONG_AGO)
    await county.desk.deposit(CUSTODIAN, case_id, "letter", HASH, LETTER)
    county.clock.at = LONG_AGO + timedelta(days=9)
    await county.desk.withdraw(CUSTODIAN, case_id)
    await county.filing.step()
    county.clock.at = START
    retention = county.retention
    await retention.expiry.step()
    order = await retention.ordered(case_id)
    event = retention.said(case_id)[-1]
    assert isinstance(event.data, ev.DispositionOrdered)
    assert set(event.data.holders) == {*FOUR, "retention", "audit"}

    assert not await county.processor.apply([event])
    with pytest.raises(RefusedError) as refused:
        await county.desk.read_case(CUSTODIAN, case_id)
    assert refused.value.code == "unknown_case"
    await county.destroyer.step()
    *steps, told = county.files.said(case_id)
    acts = [each.data.act for each in steps if isinstance(each.data, ev.ActRecorded)]
    assert acts == ["hold", "release"]
    assert {each.name for each in steps} == {"disclosure.recorded", "act.recorded"}
    assert isinstance(told.data, ev.RecordDestroyed)
    said = told.data
    assert (said.holder, said.keys, said.documents, said.fields) == ("retention", 1, 1, 3)
    assert (said.objects, overreach("retention", said)) == (1, None)
    assert not county.keys.keys
    assert not county.documents.versions
    left = county.files.state(case_id)
    assert (left.lifecycle, dict(left.sealed), left.kind) == ("destroyed", {}, None)

    # The certificate waits for the case desk like for every other holder.
    await retention.answered(order, *FOUR)
    assert retention.record(case_id).stage == "ordered"
    await retention.apply(told)
    assert retention.record(case_id).stage == "destroyed"
    await retention.certification.step()
    (announced,) = retention.announced()
    content, _ = await retention.certification.certificate(announced.certificate_id)
    assert {each.holder for each in content.receipts} == {*FOUR, "retention"}
    assert content.item_number == "23"


async def test_retention_takes_no_part_in_the_end_of_a_request(county: CaseDeskUnderTest) -> None:
    retention = county.retention
    await retention.eligible("r1")
    await retention.ordered("r1")
    event = retention.said("r1")[-1]
    assert isinstance(event.data, ev.DispositionOrdered)
    assert set(event.data.holders) == {*FOUR, "audit"}
    assert not await county.processor.apply([event])
    assert not county.files.documents


async def test_a_case_under_hold_is_not_destroyed(county: CaseDeskUnderTest) -> None:
    case_id = await opened(county)
    placed = ev.HoldPlaced(
        record_id=case_id,
        version=1,
        hold_id="h1",
        kind="litigation",
        authority="26-1",
        placed_at=START,
    )
    order = ev.DispositionOrdered(
        record_id=case_id,
        version=2,
        order_id="o1",
        items=("23",),
        holders=("retention",),
        custodian="carla",
        records_officer="raul",
        ordered_at=START,
    )

    def said(name: str, data: Model) -> Event[Model]:
        return Event(name, "/direct311/retention", case_id, START, data)

    failed = await county.processor.apply([said("e1", placed), said("e2", order)])
    assert [type(error).__name__ for _, error in failed] == ["HeldError"]
    assert county.files.state(case_id).lifecycle == "active"


# ---------------------------------------------------------------- states and kinds


def test_every_state_can_be_reached_and_left() -> None:
    reached = {"received"} | {state for after in TRANSITIONS.values() for state in after}
    assert reached == set(TRANSITIONS)
    assert all(TRANSITIONS.values())
    assert all("closed" in after for state, after in TRANSITIONS.items() if state != "closed")
    assert not CaseFile(record_id="c").may_become("released")


def test_a_file_of_kinds_must_name_each_kind_once_and_only_known_roles() -> None:
    kind = {
        "kind": "public_records",
        "citation": "x",
        "desks": ["clerk"],
        "documents": ["letter"],
        "approvers": ["judge"],
        "grant_days": 0,
    }
    rules = CaseRules.model_validate(
        {
            "cases": "x",
            "version": "1",
            "citation": "x",
            "effective_from": "2025-01-01",
            "notice_business_days": 0,
            "places": [],
            "criteria": ["words"],
            "work": [],
            "kinds": [kind, kind],
        }
    )
    found = {(entry, field) for entry, field, _ in case_problems(rules, ("custodian",))}
    assert found == {
        ("x", "notice_business_days"),
        ("x", "places"),
        ("x", "work"),
        ("public_records", "kind"),
        ("law_enforcement", "kind"),
        ("public_records", "desks"),
        ("public_records", "approvers"),
        ("public_records", "grant_days"),
    }


# ---------------------------------------------------------------- over HTTP


@pytest.fixture
def http(county: CaseDeskUnderTest) -> Iterator[TestClient]:
    async def caller_of(request: Request) -> Caller:
        role, _, name = request.headers.get("x-test-caller", "").partition("/")
        return Caller(sub=name, roles=(role,) if role else ())

    with county.serve(router(county.desk, county.rules.desks, caller_of)) as client:
        yield client


def test_the_desk_over_http(county: CaseDeskUnderTest, http: TestClient) -> None:
    carla = {"x-test-caller": "custodian/carla"}
    order = {"kind": "public_records", "request": WORDS, "contact": {"email": "a@b.example"}}
    made = http.post("/v1/cases", json=order, headers=carla)
    assert made.status_code == 201, made.text
    case_id = made.json()["case_id"]
    assert "Canary" not in made.text
    path = f"/v1/cases/{case_id}/documents/{HASH}"
    put = http.put(f"{path}?kind=letter", content=LETTER, headers=carla)
    assert put.status_code == 200, put.text
    assert http.get(path, headers=carla).content == LETTER
    read = http.get(f"/v1/cases/{case_id}", headers=carla)
    assert (read.json()["request"], read.json()["contact"]) == (WORDS, {"email": "a@b.example"})
    assert read.headers["cache-control"] == "no-store"
    page = http.get("/v1/cases?limit=1", headers=carla).json()
    assert [each["case_id"] for each in page["cases"]] == [case_id]
    assert "Canary" not in json.dumps(page)
    closed = http.post(f"/v1/cases/{case_id}/close", json={"outcome": "withdrawn"}, headers=carla)
    assert closed.json()["state"] == "closed"

    county.access_log.down = True
    away = http.get(f"/v1/cases/{case_id}", headers=carla)
    assert (away.status_code, "Canary" in away.text) == (503, False)


@pytest.mark.parametrize(
    ("caller", "status"),
    [("agent/ana", 403), ("auditor/ines", 403), ("counsel/cole", 403), ("liaison/lars", 404)],
)
def test_others_do_not_reach_a_case(
    county: CaseDeskUnderTest, http: TestClient, caller: str, status: int
) -> None:
    case_id = asyncio.run(opened(county))
    answer = http.get(f"/v1/cases/{case_id}", headers={"x-test-caller": caller})
    assert answer.status_code == status
    assert "Canary" not in answer.text
