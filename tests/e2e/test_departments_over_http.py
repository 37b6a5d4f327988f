"""A department without Kafka: it pulls its jobs and reports its steps over HTTP."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from direct311.schemas import Event, encode, updates_topic
from direct311.schemas import events as ev
from tests.support.county import County, Document, until
from tests.support.submissions import submission

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

OWN, OTHER = "animal_services", "solid_waste"
TYPE = "gov.miamidade.direct311."


class System:
    """A department's own system, with its client credentials."""

    def __init__(self, county: County, department: str) -> None:
        self.county = county
        self.department = department

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        client = f"dept-{self.department}"
        headers = await self.county.service_headers(client, "routing")
        headers |= options.pop("headers", {})
        url = self.county.known.services["routing"] + path
        return await self.county.http.request(method, url, headers=headers, **options)

    async def pull(self, department: str | None = None, **query: Any) -> httpx.Response:
        path = f"/v1/departments/{department or self.department}/routed"
        return await self.ask("GET", path, params=query)

    async def everything(self, cursor: str | None = None) -> tuple[list[Document], str]:
        """The events after a cursor, and the cursor after them."""
        found: list[Document] = []
        while True:
            answer = await self.pull(limit=500, **({} if cursor is None else {"cursor": cursor}))
            assert answer.status_code == 200, answer.text
            page = answer.json()
            found += page["events"]
            cursor = page["next"]
            if not page["more"]:
                return found, cursor

    async def report(
        self, update: Document, update_id: str | None = None, department: str | None = None
    ) -> httpx.Response:
        path = f"/v1/departments/{department or self.department}/updates"
        headers = {"Idempotency-Key": update_id or str(uuid4())}
        return await self.ask("POST", path, headers=headers, json=update)


def step(record_id: str, name: str, department: str = OWN, **said: Any) -> Document:
    at = datetime.now(UTC).isoformat()
    return {
        "record_id": record_id,
        "department": department,
        "step": name,
        "occurred_at": at,
        **said,
    }


@pytest.mark.timeout(180)
async def test_a_department_works_over_http_as_over_kafka(county: County) -> None:
    own, other = System(county, OWN), System(county, OTHER)
    _, start = await own.everything()
    record_id = await county.accepted(submission(1811))
    await county.routed(record_id)

    async def came() -> list[Document] | None:
        events, _ = await own.everything(start)
        return [each for each in events if each["data"]["record_id"] == record_id] or None

    (routed,) = await until(came, "the job can be pulled")
    assert routed["type"] == f"{TYPE}request.routed.v1"
    on_topic = [
        each
        for each in await county.messages(f"routed.{OWN}")
        if each.key == record_id.encode() and dict(each.headers)["ce_id"].decode() == routed["id"]
    ]
    assert len(on_topic) == 1

    key = str(uuid4())
    first = await own.report(step(record_id, "acknowledged"), key)
    assert (first.status_code, first.json()["status"]) == (200, "routed"), first.text
    again = await own.report(step(record_id, "acknowledged"), key)
    assert (again.status_code, again.json()) == (200, first.json())

    # One table for both ways: what Kafka's step leads to decides what HTTP may say.
    at = datetime.now(UTC)
    data = ev.DepartmentUpdateV2.model_validate(step(record_id, "waiting", waiting_for="agency"))
    sent = Event(str(uuid4()), f"/department/{OWN}", record_id, at, data)
    await county.send(encode(sent, topic=updates_topic(OWN)))

    async def waits() -> bool:
        return bool((await county.job(record_id))["status"] == "on_hold")

    await until(waits, "the step over Kafka is taken")
    refused = await own.report(step(record_id, "acknowledged"))
    assert refused.status_code == 409
    assert refused.json()["type"] == "urn:direct311:problem:transition"
    assert "in_progress" in refused.json()["allowed"]
    wrong = await own.report(step(record_id, "resolved"))
    assert (wrong.status_code, wrong.json()["field"]) == (422, "outcome")
    unknown_id = str(uuid4())
    unknown = [await own.report(step(str(uuid4()), "note", note="x"), unknown_id)]
    assert (unknown[0].status_code, unknown[0].json()["field"]) == (404, "record_id")

    done = await own.report(
        step(record_id, "resolved", outcome="fixed", note="Both dogs are safe.")
    )
    assert (done.status_code, done.json()["status"]) == (200, "fixed"), done.text

    async def seen() -> bool:
        notes = (await county.request(record_id))["notes"]
        return bool(notes) and any("Both dogs are safe." in str(each) for each in notes)

    await until(seen, "the resident sees it")

    # Nobody else reads or writes there.
    assert (await other.pull(OWN)).status_code == 403
    assert (await other.report(step(record_id, "reopened"), department=OWN)).status_code == 403
    stolen = await other.report(step(record_id, "reopened"))
    assert (stolen.status_code, stolen.json()["field"]) == (422, "department")
    foreign = await other.report(step(record_id, "reopened", OTHER))
    assert (foreign.status_code, foreign.json()["type"]) == (
        409,
        "urn:direct311:problem:wrong_department",
    )
    assert (await other.ask("GET", f"/v1/jobs/{record_id}")).status_code == 403
    assert (await own.ask("GET", f"/v1/jobs/{record_id}")).status_code == 200
    assert record_id not in (await other.pull(limit=500)).text
    path = f"/v1/departments/{OWN}/routed"
    for role in (f"department:{OWN}", f"inspector:{OWN}", "admin"):
        assert (await county.ask("GET", "routing", path, role)).status_code == 403

    assert (await own.pull(cursor="999999999999")).status_code == 422
    form = {
        "grant_type": "client_credentials",
        "client_id": f"dept-{OWN}",
        "client_secret": county.stack.credentials.clients[f"dept-{OWN}"],
        "resource": county.known.audiences["intake"],
    }
    elsewhere = await county.http.post(f"{county.known.issuer}/token", data=form)
    assert elsewhere.json()["error"] == "invalid_target"
