"""A working day's corrections: each is seen by reporter, department, Open311 and history."""

import re
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from tests.support.app_api import NOTICE, App, mailed, text_of
from tests.support.county import County, Document, until
from tests.support.runtime import new_id
from tests.support.submissions import ENFORCEMENT, MIAMI_BEACH, submission

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

DEPARTMENT = "animal_services"
STAFF = f"department:{DEPARTMENT}"
CANARY = "Wurzelgruber"
WHY = "The resident chose the wrong one."
BEACH = {"latitude": float(MIAMI_BEACH["lat"]), "longitude": float(MIAMI_BEACH["long"])}


async def _submitted(county: County, number: int) -> tuple[str, str]:
    """A stray dog in Kendall, without the reporter's name, at its department; and its link."""
    sent = submission(number, reported=False, extensions="true", phone="305-555-0165")
    answer = await county.submit(sent)
    assert answer.status_code == 200, answer.text
    (told,) = answer.json()
    record_id = told["service_request_id"]
    assert (await county.routed(record_id))["department"] == DEPARTMENT

    async def known() -> bool:
        return bool((await _work(county, record_id)).json()["department"] == DEPARTMENT)

    await until(known, "intake knows the department")
    return record_id, told["extended_attributes"]["link_token"]


async def _work(county: County, record_id: str, role: str = "agent") -> httpx.Response:
    return await county.ask("GET", "intake", f"/v1/work/requests/{record_id}", role, "olga")


async def _edit(
    county: County, record_id: str, role: str, etag: str, **body: Any
) -> httpx.Response:
    headers = await county.session.headers("intake", role, "paul")
    url = f"{county.known.services['intake']}/v1/work/requests/{record_id}"
    return await county.http.patch(
        url, json={"reason": WHY, **body}, headers={**headers, "If-Match": etag}
    )


async def _followed(county: County, record_id: str, link: str) -> Document:
    """The request as its reporter sees it."""
    url = f"{county.known.services['intake']}/v1/requests/{record_id}/follow"
    answer = await county.http.get(url, headers={"Authorization": f"Bearer {link}"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def _told(county: County, record_id: str, count: int) -> Sequence[Document]:
    """What the department's own topic says about the request, once it says so much."""

    async def look() -> Sequence[Document] | None:
        found = await county.received(DEPARTMENT, record_id)
        return found if len(found) >= count else None

    return await until(look, "the department is told")


async def test_call_taken(county: County) -> None:
    policy = (await county.http.get(f"{county.known.services['intake']}/v1/policy")).json()
    mailbox = f"{new_id('call')}@example.org"
    order = {
        "channel": "phone",
        "service_code": "ANI-STRAY-DOG",
        "lat": 25.666,
        "long": -80.358,
        "description": "It bites. Call me at 305-555-0165.",
        "last_name": CANARY,
        "email": mailbox,
        "phone": "305-555-0165",
    }
    unread = await county.ask("POST", "intake", "/v1/work/requests", "agent", "olga", order)
    assert unread.status_code == 422
    headers = await county.session.headers("intake", "agent", "olga")
    headers["Idempotency-Key"] = new_id("call")
    url = f"{county.known.services['intake']}/v1/work/requests"
    unread = await county.http.post(url, json=order, headers=headers)
    assert (unread.status_code, unread.json()["field"]) == (409, "notices")
    order["notices"] = {
        "policy_version": policy["version"],
        "email_notice_version": NOTICE,
        "language": "es",
        "read_by": "agent",
    }
    answers = [await county.http.post(url, json=order, headers=headers) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 200], answers[0].text
    answer = answers[0]
    record_id = answer.json()["service_request_id"]
    assert (answer.headers["etag"], answer.json()["code_sent"]) == ('"0"', True)
    assert record_id in answer.json()["tell"]
    assert not re.search(f"{CANARY}|{mailbox}|0165", answer.text)

    # The department gets it, without the person or the agent.
    assert (await county.routed(record_id))["department"] == DEPARTMENT
    (told,) = await _told(county, record_id, 1)
    assert not re.search(f"{CANARY}|{mailbox}|0165|olga", str(told))
    shown = (await _work(county, record_id)).json()
    assert (shown["channel"], shown["call"]) == (
        "phone",
        {"by": "olga", "language": "es", "notices_read_by": "agent"},
    )
    assert "olga" not in str(await county.request(record_id))

    async def logged() -> bool:
        path = f"/v1/entries?record={record_id}&reference=LETTER-1&limit=100"
        entries = (await county.get("audit", path, "auditor"))["entries"]
        sealed = [each for each in entries if each["action"] == "seal"]
        return [each["actor"] for each in sealed if each["service"] == "intake"] == ["olga"]

    await until(logged, "the log names the agent, once")

    # The caller's code opens it.
    *_, message = await mailed(county, mailbox)
    code = re.search(r"\b\d{8}\b", text_of(message))
    assert code is not None
    app = App(county)
    link = await app.call("POST", f"/v1/requests/{record_id}/codes/redeem", {"code": code[0]})
    assert link.status_code == 200, link.text
    followed = await _followed(county, record_id, link.json()["token"])
    assert followed["service_request_id"] == record_id
    assert "olga" not in str(followed)


async def test_wrong_type(county: County) -> None:
    record_id, link = await _submitted(county, 6_311)
    mine = await county.get("intake", "/v1/work/requests?limit=200", STAFF, "paul")
    assert record_id in {each["record_id"] for each in mine["requests"]}
    assert {each["department"] for each in mine["requests"]} == {DEPARTMENT}
    read = await _work(county, record_id, STAFF)
    assert (read.status_code, read.headers["etag"]) == (200, '"0"')
    assert (await _work(county, record_id, "department:parks")).status_code == 404

    edited = await _edit(county, record_id, STAFF, '"0"', service_code=ENFORCEMENT)
    assert edited.status_code == 200, edited.text
    assert (edited.json()["status"], edited.json()["department"]) == ("identity_required", None)
    # The complaint is nobody's work until its reporter is known.
    assert (await _work(county, record_id, STAFF)).status_code == 404
    stale = await _edit(county, record_id, "agent", '"0"', service_code="ANI-STRAY-DOG")
    assert (stale.status_code, stale.headers["etag"]) == (412, '"1"')
    assert stale.json()["present"]["service_code"] == ENFORCEMENT
    _, recalled = await _told(county, record_id, 2)
    assert (recalled["department"], "name and address" in recalled["reason"]) == (DEPARTMENT, True)

    async def held() -> bool:
        job = await county.job(record_id)
        return bool((job["status"], job["department"]) == ("identity_required", None))

    await until(held, "routing holds the job")
    assert (await county.request(record_id))["service_code"] == ENFORCEMENT
    followed = await _followed(county, record_id, link)
    assert "identity_required" in str(followed)
    assert "paul" not in str(followed)

    back = await _edit(county, record_id, "agent", '"1"', service_code="ANI-STRAY-DOG")
    assert (back.status_code, back.json()["status"]) == (200, "received")
    *_, again = await _told(county, record_id, 3)
    assert (again["revision"], again["service_code"]) == (2, "ANI-STRAY-DOG")
    shown = (await _work(county, record_id)).json()
    assert [(each["by"], each["reason"], each["changed"]) for each in shown["edits"]] == [
        ("paul", WHY, ["type"]),
        ("paul", WHY, ["type"]),
    ]


async def test_wrong_place(county: County) -> None:
    record_id, link = await _submitted(county, 6_312)
    before = await county.request(record_id)
    edited = await _edit(county, record_id, STAFF, '"0"', place=BEACH)
    assert edited.status_code == 200, edited.text
    shown = edited.json()
    assert (shown["status"], shown["department"], shown["place_checked"]) == (
        "received",
        None,
        False,
    )

    async def checked() -> Document | None:
        found = (await _work(county, record_id)).json()
        return dict(found) if found["department"] == DEPARTMENT else None

    after = await until(checked, "the new place is checked and routed")
    assert (after["place_version"], after["municipality"]) == (2, "Miami Beach")
    assert (after["status"], after["location"]["method"]) == ("routed", "point")
    (line,) = after["edits"]
    assert (line["by"], line["changed"], line["reason"]) == ("paul", ["place"], WHY)
    first, recalled, second = await _told(county, record_id, 3)
    assert (first["revision"], recalled["reason"]) == (1, "its place was corrected")
    assert (second["revision"], second["place"]["latitude"]) == (2, BEACH["latitude"])
    public = await county.request(record_id)
    assert (public["lat"], public["long"]) == (BEACH["latitude"], BEACH["longitude"])
    assert (before["lat"], before["long"]) != (public["lat"], public["long"])
    listed = await county.open311("requests.json", service_request_id=record_id)
    assert [each["lat"] for each in listed.json()] == [BEACH["latitude"]]
    assert "paul" not in str(await _followed(county, record_id, link))
