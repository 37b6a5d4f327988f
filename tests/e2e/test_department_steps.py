"""Every step that a department may report, over the real broker: its reply, and who sees it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from direct311.schemas import Encoded, Event, encode, updates_topic
from direct311.schemas import events as ev
from tests.support.county import County, Document, until
from tests.support.submissions import submission

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

FIRST, SECOND = "animal_services", "solid_waste"
SECRET = "754-555-0177"


def step(record_id: str, name: str, department: str = FIRST, **said: Any) -> Encoded:
    at = datetime.now(UTC)
    data = ev.DepartmentUpdateV2.model_validate(
        {
            "record_id": record_id,
            "department": department,
            "step": name,
            "occurred_at": at,
            **said,
        }
    )
    event = Event(str(uuid4()), f"/department/{department}", record_id, at, data)
    return encode(event, topic=updates_topic(department))


async def replied(county: County, sent: Encoded, department: str = FIRST) -> Document:
    """The reply to a message, and its type."""

    async def look() -> Document | None:
        for message in await county.messages(f"replies.{department}"):
            found = json.loads(message.value or b"{}")
            if found.get("update_id") == sent.headers["ce_id"]:
                kind = dict(message.headers)["ce_type"].decode()
                return {"type": kind.removeprefix("gov.miamidade.direct311."), **found}
        return None

    return await until(look, "routing has replied")


@pytest.mark.timeout(240)
async def test_each_step_is_answered_and_the_reporter_sees_where_the_work_is(
    county: County,
) -> None:
    record_id = await county.accepted(submission(1801))
    other = await county.accepted(submission(1802))
    await county.routed(record_id)
    await county.routed(other)
    later = datetime.now(UTC) + timedelta(days=2)

    async def accepted(name: str, status: str, department: str = FIRST, **said: Any) -> None:
        sent = step(record_id, name, department, **said)
        await county.send(sent)
        reply = await replied(county, sent, department)
        assert reply["type"] == "update.accepted.v2", reply
        assert (reply["step"], reply["status"]) == (name, status)

    said = await county.department(
        FIRST, "report", record_id, "acknowledged", "--reference", "WO-1801"
    )
    assert (said.code, said.lines[0]["step"]) == (0, "acknowledged"), said.errors
    await accepted("assigned", "routed", assigned_to="Unit 4")
    await accepted("scheduled", "routed", scheduled_for=later)
    await accepted("in_progress", "in_progress", note=f"On the way, {SECRET}.")
    await accepted("note", "in_progress", note=f"Owner is {SECRET}.", note_for="internal")
    await accepted("waiting", "on_hold", waiting_for="reporter")
    await accepted("handed_over", "referred")
    job = await county.ask("GET", "routing", f"/v1/jobs/{record_id}", "agent", "olga")
    assert job.json()["work"]["work_reference"] == "WO-1801"
    assert [each["state"] for each in job.json()["deliveries"]] == ["acknowledged"]

    async def status(wanted: str) -> None:
        async def look() -> bool:
            found = (await county.request(record_id))["notes"]
            return bool(found) and found[-1]["summary"] == wanted

        await until(look, f"the public sees {wanted}")

    await status("referred")

    refused = step(record_id, "resolved", outcome="duplicate", duplicate_of=record_id)
    await county.send(refused)
    reply = await replied(county, refused)
    assert (reply["type"], reply["code"], reply["field"]) == (
        "update.refused.v2",
        "transition",
        "outcome",
    )

    await accepted("referred", "routed", referred_to=SECOND)
    gone = step(record_id, "in_progress")
    await county.send(gone)
    assert (await replied(county, gone))["code"] == "wrong_department"
    assert await county.received(SECOND, record_id)
    await accepted("wrong_department", "routed", SECOND)
    job = await county.ask("GET", "routing", f"/v1/jobs/{record_id}", "agent", "olga")
    states = [(each["department"], each["state"]) for each in job.json()["deliveries"]]
    assert states == [(FIRST, "acknowledged"), (SECOND, "refused"), ("triage_311", "sent")]
    await accepted("resolved", "duplicate", "triage_311", outcome="duplicate", duplicate_of=other)
    await status("duplicate")

    sent = step(other, "resolved", outcome="fixed")
    await county.send(sent)
    assert (await replied(county, sent))["status"] == "fixed"
    sent = step(other, "reopened")
    await county.send(sent)
    assert (await replied(county, sent))["status"] == "in_progress"

    await county.caught_up()
    topics = ("work.updated", "request.updated", f"replies.{FIRST}", "deadletters.routing")
    for message in await county.messages(*topics):
        assert SECRET.encode() not in (message.value or b""), message.topic
    notes = (await county.request(record_id))["notes"]
    assert "Owner is" not in json.dumps(notes)


async def test_what_cannot_be_read_is_answered_where_it_is(county: County) -> None:
    record_id = await county.accepted(submission(1803))
    await county.routed(record_id)
    good = step(record_id, "acknowledged")
    bad_step = Encoded(good.topic, good.key, dict(good.headers), b'{"step":"Maria"}')
    junk = Encoded(good.topic, good.key, good.headers | {"ce_id": str(uuid4())}, b"Maria")
    foreign = step(record_id, "acknowledged", SECOND)
    misnamed = Encoded(good.topic, foreign.key, foreign.headers, foreign.body)
    bare = {name: value for name, value in good.headers.items() if name != "ce_time"}
    headless = Encoded(good.topic, good.key, bare | {"ce_id": str(uuid4())}, good.body)
    for sent, field in (
        (bad_step, "record_id"),
        (junk, "body"),
        (misnamed, "department"),
        (headless, "ce_time"),
    ):
        await county.send(sent)
        reply = await replied(county, sent)
        assert (reply["type"], reply["code"]) == ("update.refused.v2", "malformed")
        assert reply["field"] == field
        assert reply["offset"] >= 0
        assert "Maria" not in json.dumps(reply)
