"""A department's note: public in redacted form, sealed in its own words, and nowhere else."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest

from deploy.local.stack import Stack
from direct311.schemas import Event, encode, updates_topic
from direct311.schemas import events as ev
from tests.support.county import County, Document, entering, until
from tests.support.disposition import destroyed
from tests.support.submissions import KENDALL, submission

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

CANARY = "754-555-0129"
NOTE = f"Spoke to the owner, call {CANARY}.\n\tGate code on file."
SHOWN = "Spoke to the owner, call [telephone].\n\tGate code on file."
DEPARTMENT = "animal_services"


@pytest.fixture
async def away(disposable: Stack) -> AsyncIterator[County]:
    """A county whose gateway may be away for a while."""
    async with entering(disposable) as county:
        yield county


async def _opened(
    county: County, record_id: str, role: str = "agent", **question: str
) -> httpx.Response:
    return await county.read_contact(record_id, role, "olga", fields=["work_notes"], **question)


async def _notes(county: County, record_id: str) -> list[Document]:
    answer = await _opened(county, record_id)
    assert answer.status_code == 200, answer.text
    return list(json.loads(answer.json()["fields"].get("work_notes", "{}")).values())


def _update(
    record_id: str, update_id: str | None = None, note: str = NOTE, department: str = DEPARTMENT
) -> Event[ev.DepartmentUpdate]:
    data = ev.DepartmentUpdate(
        record_id=record_id,
        department=department,
        status="in_progress",
        occurred_at=datetime.now(UTC),
        note=note,
    )
    source = f"/department/{department}"
    return Event(update_id or str(uuid4()), source, record_id, datetime.now(UTC), data)


async def _send(county: County, update: Event[ev.DepartmentUpdate]) -> None:
    await county.send(encode(update, topic=updates_topic(update.data.department)))


async def _replies(county: County, update_id: str, department: str = DEPARTMENT) -> list[Document]:
    found = [
        json.loads(message.value)
        for message in await county.messages(f"replies.{department}")
        if message.value
    ]
    return [each for each in found if each["update_id"] == update_id]


async def _answered(county: County, update_id: str, department: str = DEPARTMENT) -> Document:
    async def look() -> Document | None:
        found = await _replies(county, update_id, department)
        return found[0] if found else None

    return await until(look, "routing has answered the update")


async def _shown(county: County, record_id: str) -> list[str]:
    found = (await county.request(record_id))["notes"]
    return [each["description"] for each in found if each["summary"] == "in_progress"]


@pytest.mark.policy("P13", "P20")
async def test_a_note_is_public_redacted_and_opened_whole_with_an_entry(county: County) -> None:
    record_id = await county.accepted(submission(960))
    await county.routed(record_id)
    said = await county.department(DEPARTMENT, "answer", record_id, "in_progress", "--note", NOTE)
    assert said.code == 0, said.errors
    # Accepted means sealed: nobody has to wait for it.
    (note,) = await _notes(county, record_id)
    update_id = said.lines[0]["update_id"]
    assert note == {"department": DEPARTMENT, "update_id": update_id, "note": NOTE}

    async def public() -> bool:
        return await _shown(county, record_id) == [SHOWN]

    await until(public, "the public sees the redacted note")

    await _logged(
        county, record_id, "seal", lambda it: it["agent"]["on_behalf_of"] == "svc:routing"
    )
    await _logged(county, record_id, "view", lambda it: it["agent"]["id"] == "olga")

    foreign = await _opened(county, record_id, "department:parks")
    assert foreign.status_code == 403
    assert (await _opened(county, record_id, "department:animal_services")).status_code == 200

    await county.caught_up()
    with county.database() as database:
        for name in ("intake", "routing", "retention"):
            for collection in database[name].list_collection_names():
                for document in database[name][collection].find({}):
                    assert CANARY not in repr(document), f"{name}.{collection}"
    topics = ("work.updated", f"replies.{DEPARTMENT}", "request.updated", "deadletters.routing")
    for message in await county.messages(*topics):
        assert CANARY.encode() not in (message.value or b""), message.topic


async def _logged(
    county: County, record_id: str, action: str, matches: Callable[[Document], bool]
) -> None:
    """Wait for the entry of an access to the notes of a record."""

    async def look() -> bool:
        found = [
            json.loads(message.value)
            for message in await county.messages("pii.accessed")
            if message.value and record_id.encode() in message.value
        ]
        assert all(CANARY not in repr(each) for each in found)
        return any(
            each["action"] == action and each["what"]["fields"] == ["work_notes"] and matches(each)
            for each in found
        )

    await until(look, f"the log is told of the access: {action}")


async def test_the_same_update_again_seals_nothing_and_is_answered_once(county: County) -> None:
    record_id = await county.accepted(submission(961))
    await county.routed(record_id)
    update = _update(record_id)
    for _ in range(2):
        await _send(county, update)
        await _answered(county, update.id)
    await county.caught_up()
    assert len(await _replies(county, update.id)) == 1
    assert [each["note"] for each in await _notes(county, record_id)] == [NOTE]

    # At the door itself: the same again, other words under the same id, and others than routing.
    url = f"{county.known.services['intake']}/internal/work-notes"
    body = {
        "record_id": record_id,
        "department": DEPARTMENT,
        "update_id": update.id,
        "note": NOTE,
    }
    routing = await county.service_headers("svc-routing", "intake")
    again = await county.http.post(url, json=body, headers=routing)
    assert again.status_code == 200, again.text
    other = await county.http.post(url, json={**body, "note": "Other."}, headers=routing)
    assert other.status_code == 409
    assert other.json()["type"] == "urn:direct311:problem:idempotency_key"
    media = await county.service_headers("svc-media", "intake")
    assert (await county.http.post(url, json=body, headers=media)).status_code == 403
    # Routing brings notes; it opens none.
    path = f"{county.known.services['intake']}/v1/requests/{record_id}/contact"
    question = {"purpose": "respond", "fields": ["work_notes"]}
    assert (await county.http.post(path, json=question, headers=routing)).status_code == 403
    assert [each["note"] for each in await _notes(county, record_id)] == [NOTE]


@pytest.mark.timeout(240)
async def test_while_the_gateway_is_away_notes_wait_and_holds_do_not(away: County) -> None:
    county, stack = away, away.stack
    record_id = await county.accepted(submission(962))
    other = await county.accepted(submission(963, "ROAD-POTHOLE", KENDALL))
    await county.routed(record_id)
    await county.routed(other)
    stack.stop("intake")
    try:
        waiting = _update(record_id)
        await _send(county, waiting)
        without = _update(other, note="", department="public_works")
        await _send(county, without)
        hold = {"name": "Roe v. County", "kind": "litigation", "authority": "26-114 CA 01"}
        order = {**hold, "record_ids": [record_id]}
        placed = await county.post("retention", "/v1/holds", order, "counsel", "clara")

        async def held() -> bool:
            with county.database() as database:
                job = database.routing.jobs.find_one({"_id": record_id})
            return job is not None and job.get("holds") == [placed["hold_id"]]

        await until(held, "routing knows of the hold")
        assert await _replies(county, waiting.id) == []
        # Killed while it tries again, it has lost nothing.
        stack.kill9("routing")
        stack.start("routing")
        stack.wait_ready("routing")
        assert await _replies(county, waiting.id) == []
    finally:
        stack.start("intake")
        stack.wait_ready("intake")
    assert (await _answered(county, waiting.id))["status"] == "in_progress"
    assert (await _answered(county, without.id, "public_works"))["status"] == "in_progress"
    await county.caught_up()
    assert len(await _replies(county, waiting.id)) == 1
    assert [each["note"] for each in await _notes(county, record_id)] == [NOTE]
    assert await _shown(county, record_id) == [SHOWN]


@pytest.mark.policy("P14")
@pytest.mark.timeout(240)
async def test_a_note_ends_with_its_record(county: County) -> None:
    record_id = await county.accepted(submission(964))
    await county.routed(record_id)
    said = await county.department(DEPARTMENT, "answer", record_id, "in_progress", "--note", NOTE)
    assert said.code == 0, said.errors
    await destroyed(county, record_id)
    assert (await _opened(county, record_id)).status_code in (404, 410)
    with county.database() as database:
        stored = database.intake.requests.find_one({"_id": record_id})
        key = database.intake["keys"].find_one({"_id": record_id})
    assert "wrapped" not in (key or {})
    assert "sealed" not in (stored or {})
    assert "work_notes" not in (stored or {})
    # A note that comes late finds no record, and is not kept.
    late = _update(record_id)
    await _send(county, late)
    assert (await _answered(county, late.id))["code"] == "unknown_record"
