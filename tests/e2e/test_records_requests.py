"""Somebody asks for public records without saying who they are: from the gateway to the desk."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
from uuid_utils import compat

from tests.support.county import County

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

PATH = "/v1/records-requests"
WORDS = "Every complaint about the bridge at Peregrine-Quodlibet Canal."
CONTACT = {"email": "p.quodlibet@canary.example"}


async def ask(
    county: County, body: Mapping[str, Any] | None = None, at: str | None = None, **headers: str
) -> httpx.Response:
    url = (at or county.known.services["intake"]) + PATH
    given = {each.replace("_", "-"): value for each, value in headers.items()}
    return await county.http.post(url, json=body or {"request": WORDS}, headers=given)


async def state(county: County, token: str) -> httpx.Response:
    url = f"{county.known.services['intake']}{PATH}/status"
    return await county.http.get(url, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture(autouse=True)
async def withdrawn_afterwards(county: County) -> AsyncIterator[None]:
    """A request without bounds stops all destruction, also what other tests look for."""
    yield
    for desk in (("custodian", "carla"), ("liaison", "lars")):
        listed = await county.get("retention", "/v1/cases?limit=500", *desk)
        for case in listed["cases"]:
            if case["state"] != "closed":
                path = f"/v1/cases/{case['case_id']}/close"
                await county.post("retention", path, {"outcome": "withdrawn"}, *desk)


@pytest.mark.policy("P13")
async def test_a_resident_asks_without_a_name_and_follows_the_case_by_its_token(
    county: County,
) -> None:
    answer = await ask(county)
    assert answer.status_code == 201, answer.text
    sent = answer.json()
    assert sent["case_id"] in sent["acknowledgement"]

    # The custodian has it at the desk at once, and no contact.
    path = f"/v1/cases/{sent['case_id']}"
    read = await county.get("retention", path, "custodian", "carla")
    assert (read["request"], read["channel"]) == (WORDS, "public")
    assert "contact" not in read
    assert (read["state"], read["opened_by"]) == ("acknowledged", "svc:intake")

    found = (await state(county, sent["token"])).json()
    assert (found["case_id"], found["state"]) == (sent["case_id"], "acknowledged")
    assert (found["age_days"], found["days_without_act"]) == (0, 0)
    close = {"outcome": "withdrawn"}
    await county.post("retention", f"{path}/close", close, "custodian", "carla")
    after = (await state(county, sent["token"])).json()
    assert (after["state"], after["outcome"], after["last_step"]) == (
        "closed",
        "withdrawn",
        "closed",
    )
    assert "carla" not in repr(after)


@pytest.mark.policy("P3")
async def test_what_a_requester_leaves_is_read_at_the_desk_and_stored_in_clear_nowhere(
    county: County,
) -> None:
    sent = (await ask(county, {"request": WORDS, "contact": CONTACT})).json()
    read = await county.get("retention", f"/v1/cases/{sent['case_id']}", "custodian", "carla")
    assert read["contact"] == CONTACT
    with county.database() as database:
        stored = repr(database["retention"]["cases"].find_one({"_id": sent["case_id"]}))
    for secret in (sent["token"], "Quodlibet", CONTACT["email"]):
        assert secret not in stored


async def test_the_same_request_at_the_same_time_opens_one_case(county: County) -> None:
    key = str(compat.uuid4())
    answers = await asyncio.gather(*(ask(county, Idempotency_Key=key) for _ in range(8)))
    assert {each.status_code for each in answers} <= {200, 201}
    assert len({each.json()["case_id"] for each in answers}) == 1
    last = await ask(county, Idempotency_Key=key)
    assert last.status_code == 200
    assert (await state(county, last.json()["token"])).status_code == 200
    other = await ask(county, {"request": "Other."}, Idempotency_Key=key)
    assert other.status_code == 409


async def test_wrong_tokens_and_ids_of_cases_get_one_answer(county: County) -> None:
    sent = (await ask(county)).json()
    by_hand = await county.post(
        "retention", "/v1/cases", {"kind": "public_records", "request": "x"}, "custodian", "carla"
    )
    police = await county.post(
        "retention", "/v1/cases", {"kind": "law_enforcement", "request": "x"}, "liaison", "lars"
    )
    wrong = (
        "wrong",
        sent["case_id"],
        by_hand["case_id"],
        police["case_id"],
        sent["token"].swapcase(),
    )
    answers = [await state(county, each) for each in wrong]
    assert {each.status_code for each in answers} == {404}
    assert len({each.text for each in answers}) == 1


async def test_nobody_else_may_hand_requests_to_the_desk(county: County) -> None:
    body = {"key": "ab12" * 16, "request": WORDS}
    for role in ("custodian", "agent", "admin"):
        answer = await county.ask("POST", "retention", "/internal/cases", role, "nosy", body)
        assert answer.status_code == 403
    url = county.known.services["retention"] + "/internal/cases"
    headers = await county.service_headers("svc-media", "retention")
    answer = await county.http.post(url, json=body, headers=headers)
    assert answer.status_code == 403
