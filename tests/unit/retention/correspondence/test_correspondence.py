"""Messages of both sides: sealed, an access each, in the state to which they lead."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from direct311.retention.correspondence.api import own_router, router
from direct311.retention.correspondence.handlers import Draft
from direct311.runtime.access.ledger import AuditUnavailableError
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import caller_of
from direct311.schemas import events as ev
from direct311.schemas.claims import overreach
from tests.unit.retention.cases.fakes import CaseDeskUnderTest
from tests.unit.retention.fakes import START

pytestmark = pytest.mark.anyio

INTAKE = Caller("svc:intake", roles=("service",), authentication="service")
CARLA = Caller("carla", ("custodian",), token_id="t-1")
LIAISON = Caller("lars", ("liaison",), token_id="t-2")
KEY = "9b1d" * 16
ORDER = "0195a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b"
QUESTION = "Which canary bridge do you mean?"
ANSWER = "The one over Canary-Answer Canal."


@pytest.fixture
def county() -> CaseDeskUnderTest:
    return CaseDeskUnderTest()


async def submitted(county: CaseDeskUnderTest) -> tuple[str, str]:
    """The number and the token of a case that came through the gateway."""
    sent = await county.submissions.submit(INTAKE, KEY, "Everything about a bridge.", None)
    return sent.case_id, sent.token


def question(text: str = QUESTION, key: str = "1" * 16) -> Draft:
    return Draft(key, text, "staff", asks=True)


def said(county: CaseDeskUnderTest, case_id: str) -> list[ev.DisclosureRecorded]:
    told = [each.data for each in county.files.said(case_id)]
    return [each for each in told if isinstance(each, ev.DisclosureRecorded)]


async def code_of(call: object) -> str:
    with pytest.raises(RefusedError) as refused:
        await call  # type: ignore[misc]
    return refused.value.code


# ---------------------------------------------------------------- acknowledgement


async def test_staff_acknowledge_a_case_that_they_opened_once(county: CaseDeskUnderTest) -> None:
    case_id = (await county.desk.open_case(CARLA, "public_records", "x", None, None)).record_id
    for _ in range(2):
        done = await county.corresponding.acknowledge(CARLA, case_id)
        assert (done.state, done.correspondence.acknowledged_by) == ("acknowledged", "carla")
    assert [each.step for each in said(county, case_id)] == ["opened", "acknowledged"]
    await county.desk.withdraw(CARLA, case_id)
    assert await code_of(county.corresponding.acknowledge(CARLA, case_id)) == "case_closed"


async def test_only_a_public_records_case_has_messages(county: CaseDeskUnderTest) -> None:
    police = (await county.desk.open_case(LIAISON, "law_enforcement", "x", None, None)).record_id
    for call in (
        county.corresponding.acknowledge(LIAISON, police),
        county.corresponding.write(LIAISON, police, question()),
        county.corresponding.read(LIAISON, police),
        county.corresponding.note_notice(LIAISON, police, None),
    ):
        assert await code_of(call) == "case_kind"
    own, _ = await submitted(county)
    assert await code_of(county.corresponding.read(LIAISON, own)) == "unknown_case"
    assert await code_of(county.corresponding.write(LIAISON, own, question())) == "unknown_case"


# ---------------------------------------------------------------- question and answer


async def test_a_question_back_and_its_answer_by_the_token(county: CaseDeskUnderTest) -> None:
    case_id, token = await submitted(county)
    asked = await county.corresponding.write(CARLA, case_id, question())
    assert asked.case.state == "clarifying"
    _, shown = await county.corresponding.read_own(INTAKE, token)
    assert [(each.message.sender, each.message.asks, each.text) for each in shown] == [
        ("staff", True, QUESTION)
    ]
    answered = await county.corresponding.write_own(INTAKE, token, Draft(KEY, ANSWER, "requester"))
    assert answered.case.state == "scoping"
    _, read = await county.corresponding.read(CARLA, case_id)
    assert [(each.message.sender, each.text) for each in read] == [
        ("staff", QUESTION),
        ("requester", ANSWER),
    ]
    steps = said(county, case_id)
    assert [(each.step, each.state) for each in steps] == [
        ("opened", "acknowledged"),
        ("question_asked", "clarifying"),
        ("message_received", "scoping"),
    ]
    assert steps[-1].actor == "requester"
    # Neither the file, nor the events, nor the log has a word of it.
    everything = repr((county.files.documents, county.access_log.entries, steps, asked, shown))
    assert "anary" not in everything


async def test_each_side_has_its_own_purpose_and_each_reading_is_an_entry(
    county: CaseDeskUnderTest,
) -> None:
    case_id, token = await submitted(county)
    await county.corresponding.read_own(INTAKE, token)
    assert not county.access_log.entries
    await county.corresponding.write(CARLA, case_id, question())
    await county.corresponding.read_own(INTAKE, token)
    await county.corresponding.write_own(INTAKE, token, Draft(KEY, ANSWER, "requester"))
    await county.corresponding.read(CARLA, case_id)
    entries = county.access_log.events()
    assert [
        (each.action, each.why.purpose, each.agent.id, each.agent.authentication)
        for each in entries
    ] == [
        ("seal", "county_business", "carla", "oidc"),
        ("view", "subject_access", f"link:{case_id}", "signed_link"),
        ("seal", "subject_access", f"link:{case_id}", "signed_link"),
        ("view", "county_business", "carla", "oidc"),
    ]
    for each in entries:
        assert each.outcome == "success"
        assert (each.what.fields, each.what.record_ids) == (("case_message",), (case_id,))
        assert each.why.case_id == case_id
        assert overreach("retention", each) is None


async def test_nothing_is_written_or_read_while_the_log_is_away(county: CaseDeskUnderTest) -> None:
    case_id, token = await submitted(county)
    await county.corresponding.write(CARLA, case_id, question())
    before, fetched = county.files.state(case_id), len(county.keys.fetches)
    county.access_log.down = True
    for call in (
        county.corresponding.write(CARLA, case_id, question("More?", "2" * 16)),
        county.corresponding.read(CARLA, case_id),
        county.corresponding.write_own(INTAKE, token, Draft(KEY, ANSWER, "requester")),
        county.corresponding.read_own(INTAKE, token),
    ):
        with pytest.raises(AuditUnavailableError):
            await call
    assert county.files.state(case_id) == before
    assert len(county.keys.fetches) == fetched


async def test_the_token_of_one_case_opens_no_other(county: CaseDeskUnderTest) -> None:
    case_id, _ = await submitted(county)
    await county.corresponding.write(CARLA, case_id, question())
    other = await county.submissions.submit(INTAKE, "77aa" * 16, "Other.", None)
    assert (await county.corresponding.read_own(INTAKE, other.token))[1] == ()
    for token in ("", "wrong", case_id):
        assert await code_of(county.corresponding.read_own(INTAKE, token)) == "unknown_case"
        draft = Draft(KEY, ANSWER, "requester")
        assert await code_of(county.corresponding.write_own(INTAKE, token, draft)) == "unknown_case"


async def test_staff_write_down_an_answer_that_came_by_letter(county: CaseDeskUnderTest) -> None:
    case_id, token = await submitted(county)
    await county.corresponding.write(CARLA, case_id, question())
    draft = Draft("3" * 16, ANSWER, "requester")
    done = await county.corresponding.write(CARLA, case_id, draft)
    assert (done.case.state, done.message.written_by) == ("scoping", "carla")
    _, shown = await county.corresponding.read_own(INTAKE, token)
    assert shown[-1].message.sender == "requester"
    asking = Draft("4" * 16, ANSWER, "requester", asks=True)
    assert await code_of(county.corresponding.write(CARLA, case_id, asking)) == "case_state"


async def test_a_message_that_asks_nothing_changes_no_state(county: CaseDeskUnderTest) -> None:
    case_id, token = await submitted(county)
    note = Draft("5" * 16, "We are looking.", "staff")
    done = await county.corresponding.write(CARLA, case_id, note)
    assert done.case.state == "acknowledged"
    await county.corresponding.write(CARLA, case_id, question())
    await county.corresponding.write(CARLA, case_id, Draft("6" * 16, "No hurry.", "staff"))
    # The question still waits, although it is not the newest message.
    done = await county.corresponding.write_own(INTAKE, token, Draft(KEY, ANSWER, "requester"))
    assert done.case.state == "scoping"


async def test_a_question_needs_a_case_that_is_open_and_acknowledged(
    county: CaseDeskUnderTest,
) -> None:
    case_id = (await county.desk.open_case(CARLA, "public_records", "x", None, None)).record_id
    assert await code_of(county.corresponding.write(CARLA, case_id, question())) == "case_state"
    await county.desk.withdraw(CARLA, case_id)
    assert await code_of(county.corresponding.write(CARLA, case_id, question())) == "case_state"


async def test_a_closed_case_still_takes_messages_and_stays_closed(
    county: CaseDeskUnderTest,
) -> None:
    case_id, token = await submitted(county)
    await county.desk.withdraw(CARLA, case_id)
    county.clock.at += timedelta(hours=1)
    done = await county.corresponding.write_own(INTAKE, token, Draft(KEY, ANSWER, "requester"))
    assert (done.case.state, done.case.closed_at) == ("closed", START)
    assert [each.task for each in await county.preservation.tasks(CARLA)] == ["answer_message"]


# ---------------------------------------------------------------- repeats and room


async def test_the_same_key_writes_one_message(county: CaseDeskUnderTest) -> None:
    case_id, token = await submitted(county)
    first = await county.corresponding.write(CARLA, case_id, question())
    again = await county.corresponding.write(CARLA, case_id, question())
    assert (first.repeated, again.repeated) == (False, True)
    assert first.message.message_id == again.message.message_id
    for other in (question("Other?"), Draft("1" * 16, QUESTION, "staff")):
        assert await code_of(county.corresponding.write(CARLA, case_id, other)) == "idempotency_key"
    # The requester's keys are the requester's own.
    own = await county.corresponding.write_own(
        INTAKE, token, Draft("1" * 16, QUESTION, "requester")
    )
    assert not own.repeated
    assert len(county.files.state(case_id).correspondence.messages) == 2


async def test_the_same_key_at_the_same_time_writes_one_message(
    county: CaseDeskUnderTest,
) -> None:
    _, token = await submitted(county)
    draft = Draft(KEY, ANSWER, "requester")
    done = await asyncio.gather(
        *(county.corresponding.write_own(INTAKE, token, draft) for _ in range(4))
    )
    assert len({each.message.message_id for each in done}) == 1
    assert sum(not each.repeated for each in done) == 1


async def test_neither_side_fills_the_case_for_the_other(
    county: CaseDeskUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("direct311.retention.case_file.messages.MOST_FROM_EACH", 3)
    case_id, token = await submitted(county)
    for number in range(3):
        draft = Draft(f"{number:016}", "x", "requester")
        await county.corresponding.write_own(INTAKE, token, draft)
    more = county.corresponding.write_own(INTAKE, token, Draft(KEY, "x", "requester"))
    assert await code_of(more) == "full"
    assert (await county.corresponding.write(CARLA, case_id, question())).case.state == "clarifying"


# ---------------------------------------------------------------- days, tasks, notices


async def test_the_requesters_own_message_is_no_act_of_the_county(
    county: CaseDeskUnderTest,
) -> None:
    case_id, token = await submitted(county)
    county.clock.at = START + timedelta(days=3)
    await county.corresponding.write_own(INTAKE, token, Draft(KEY, ANSWER, "requester"))
    found = await county.submissions.progress(token)
    assert (found.days_without_act, found.last_step) == (3, "received")
    (task,) = [
        each for each in await county.preservation.tasks(CARLA) if each.task == "answer_message"
    ]
    assert (task.case_id, task.overdue) == (case_id, False)
    await county.corresponding.write(CARLA, case_id, Draft("7" * 16, "Thanks.", "staff"))
    found = await county.submissions.progress(token)
    assert (found.days_without_act, found.last_step) == (0, "message_written")
    assert "answer_message" not in {each.task for each in await county.preservation.tasks(CARLA)}


async def test_a_notice_of_a_suit_starts_five_business_days(county: CaseDeskUnderTest) -> None:
    case_id, _ = await submitted(county)
    tomorrow = START + timedelta(days=1)
    refused = county.corresponding.note_notice(CARLA, case_id, tomorrow)
    assert await code_of(refused) == "received_at"
    await county.corresponding.note_notice(CARLA, case_id, None)
    noted = await county.corresponding.note_notice(CARLA, case_id, None)
    assert noted.correspondence.notice is not None
    assert [each.step for each in said(county, case_id)].count("suit_notice") == 1

    def due() -> list[str]:
        return [each.due_at.date().isoformat() for each in tasks if each.task == "answer_notice"]

    tasks = await county.preservation.tasks(CARLA)
    # Monday the 2nd of March, and five business days: until the end of Monday the 9th.
    assert due() == ["2026-03-10"]
    county.clock.at += timedelta(hours=1)
    await county.corresponding.write(CARLA, case_id, Draft("8" * 16, "Here it is.", "staff"))
    tasks = await county.preservation.tasks(CARLA)
    assert due() == []


async def test_a_suit_without_a_notice_is_a_task_too(county: CaseDeskUnderTest) -> None:
    case_id, _ = await submitted(county)
    await county.preservation.sue(CARLA, case_id)
    tasks = {each.task for each in await county.preservation.tasks(CARLA)}
    assert "answer_notice" in tasks
    county.clock.at += timedelta(hours=1)
    await county.desk.withdraw(CARLA, case_id)
    tasks = {each.task for each in await county.preservation.tasks(CARLA)}
    assert "answer_notice" not in tasks


async def test_messages_are_destroyed_and_counted_with_the_case(county: CaseDeskUnderTest) -> None:
    case_id, _ = await submitted(county)
    await county.corresponding.write(CARLA, case_id, question())
    state = county.files.state(case_id)
    # The request, and the question.
    assert state.sealed_parts == 2
    await county.files.put(state.destruction_ordered(ORDER), county.clock.now())
    await county.destroyer.step()
    left = county.files.state(case_id)
    assert (left.lifecycle, left.correspondence.messages) == ("destroyed", ())


# ---------------------------------------------------------------- over HTTP


@pytest.fixture
def http(county: CaseDeskUnderTest) -> Iterator[TestClient]:
    who = caller_of(county.authenticator)
    desks = county.rules.desks
    with county.serve(
        router(county.corresponding, desks, who), own_router(county.corresponding, who)
    ) as client:
        yield client


def as_(caller: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {caller}"}


async def test_messages_over_http(county: CaseDeskUnderTest, http: TestClient) -> None:
    case_id, token = await submitted(county)
    path = f"/v1/cases/{case_id}/messages"
    order = {"text": QUESTION, "asks": True, "key": "1" * 16}
    answers = [http.post(path, json=order, headers=as_("custodian:carla")) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 200]
    assert answers[0].json()["state"] == "clarifying"
    assert "anary" not in answers[0].text

    gateway = as_("service:svc-intake")
    own = "/internal/cases/messages"
    shown = http.post(f"{own}/read", json={"token": token}, headers=gateway)
    (message,) = shown.json()["messages"]
    assert (message["sender"], message["text"]) == ("county", QUESTION)
    assert "carla" not in shown.text
    assert shown.headers["Cache-Control"] == "no-store"
    body = {"token": token, "key": KEY, "text": ANSWER}
    sent = [http.post(own, json=body, headers=gateway) for _ in range(2)]
    assert [each.status_code for each in sent] == [201, 200]
    assert set(sent[0].json()) == {"case_id", "message_id", "at", "repeated"}

    read = http.get(path, headers=as_("custodian:carla"))
    assert [each["text"] for each in read.json()["messages"]] == [QUESTION, ANSWER]
    assert read.json()["state"] == "scoping"
    assert read.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "body",
    [{}, {"text": ""}, {"text": "x" * 5_001}, {"text": "x", "asks": 1}, {"text": "x", "a": 1}],
)
async def test_a_malformed_message_is_refused_without_repeating_it(
    county: CaseDeskUnderTest, http: TestClient, body: dict[str, object]
) -> None:
    case_id, _ = await submitted(county)
    answer = http.post(f"/v1/cases/{case_id}/messages", json=body, headers=as_("custodian:carla"))
    assert answer.status_code == 422
    assert "xxxx" not in answer.text


@pytest.mark.parametrize("caller", ["custodian:carla", "service:svc-media", "agent:ana"])
async def test_only_the_gateway_passes_on_what_a_requester_writes(
    county: CaseDeskUnderTest, http: TestClient, caller: str
) -> None:
    _, token = await submitted(county)
    body = {"token": token, "key": KEY, "text": ANSWER}
    for path, sent in (("", body), ("/read", {"token": token})):
        answer = http.post(f"/internal/cases/messages{path}", json=sent, headers=as_(caller))
        assert answer.status_code == 403
        assert "anary" not in answer.text
