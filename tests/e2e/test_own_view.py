"""A resident with the signed link of their request: what is held, who saw it, what is wrong."""

from typing import Any

import httpx
import pytest

from tests.support.county import County, Document, until, xml
from tests.support.submissions import submission

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

OLD, NEW = "727-555-0121", "(727) 555-0122"


async def _submitted(county: County, number: int, phone: str = OLD) -> tuple[str, str]:
    """The id and the link of a request whose front end asked for one."""
    answer = await county.submit(submission(number, extensions="true", phone=phone))
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    (accepted,) = answer.json()
    extended = accepted["extended_attributes"]
    assert extended["link_expires_datetime"] > "2026"
    return accepted["service_request_id"], extended["link_token"]


async def _resident(
    county: County, method: str, service: str, path: str, link: str, **options: Any
) -> httpx.Response:
    url = county.known.services[service] + path
    headers = {"Authorization": f"Bearer {link}", **options.pop("headers", {})}
    return await county.http.request(method, url, headers=headers, **options)


async def _held(county: County, record_id: str, link: str) -> Document:
    answer = await _resident(county, "GET", "intake", f"/v1/requests/{record_id}/subject", link)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def _found(county: County, phone: str) -> list[str]:
    question = {"purpose": "respond", "phone": phone}
    answer = await county.post("intake", "/internal/persons/resolve", question, "agent", "olga")
    return list(answer["record_ids"])


async def _seen(county: County, record_id: str, link: str) -> list[Document]:
    path = f"/v1/subject/{record_id}/accesses"
    answer = await _resident(county, "GET", "audit", path, link)
    assert answer.status_code == 200, answer.text
    assert "olga" not in answer.text
    return list(answer.json()["accesses"])


@pytest.mark.policy("P13")
async def test_a_resident_sees_what_is_held_and_who_saw_it_and_corrects_it(county: County) -> None:
    record_id, link = await _submitted(county, 120)
    held = await _held(county, record_id, link)
    assert held["fields"]["phone"] == OLD
    assert held["policy"]["version"]

    read = await county.read_contact(record_id, "agent", "olga")
    assert read.json()["fields"]["phone"] == OLD

    async def by_an_agent() -> Document | None:
        return next(
            (each for each in await _seen(county, record_id, link) if each["roles"] == ["agent"]),
            None,
        )

    access = await until(by_an_agent, "the resident sees that an agent has read it")
    assert (access["action"], access["purpose"], access["outcome"]) == (
        "view",
        "respond",
        "success",
    )
    assert set(access["fields"]) == {"first_name", "phone"}
    assert access["sentence"]

    assert await _found(county, OLD) == [record_id]
    path = f"/v1/requests/{record_id}/corrections"
    again = {"Idempotency-Key": "e2e-120"}
    for _ in range(2):
        corrected = await _resident(
            county, "POST", "intake", path, link, json={"phone": NEW}, headers=again
        )
        assert corrected.json()["fields"] == ["phone"], corrected.text
    assert await _found(county, NEW) == [record_id]
    assert await _found(county, OLD) == []
    read = await county.read_contact(record_id, "agent", "olga")
    assert read.json()["fields"]["phone"] == NEW
    held = await _held(county, record_id, link)
    assert len(held["corrections"]) == 1
    # The rest went its way untouched.
    assert (await county.routed(record_id))["department"] == "animal_services"

    async def own() -> bool:
        actions = [
            each["action"]
            for each in await _seen(county, record_id, link)
            if each["roles"] == ["resident"]
        ]
        return actions.count("correct") == 1 and {"view", "log_read"} <= set(actions)

    await until(own, "the resident's own steps are in the list, the retry once")


async def test_a_link_is_good_for_its_request_alone_and_for_nothing_of_staffs(
    county: County,
) -> None:
    record_id, link = await _submitted(county, 121, "305-555-0123")
    other, _ = await _submitted(county, 122, "305-555-0124")
    for service, path in (
        ("intake", f"/v1/requests/{other}/subject"),
        ("audit", f"/v1/subject/{other}/accesses"),
        ("intake", "/v1/counts"),
        ("intake", "/v1/services"),
        ("media", f"/internal/media/{record_id}"),
        ("geo", "/v1/counts"),
        ("routing", f"/v1/jobs/{record_id}"),
        ("retention", f"/v1/records/{record_id}"),
        ("audit", "/v1/entries"),
    ):
        refused = await _resident(county, "GET", service, path, link)
        assert refused.status_code == 403, (service, path, refused.text)
    question = {"purpose": "subject_access", "fields": ["phone"]}
    path = f"/v1/requests/{record_id}/contact"
    refused = await _resident(county, "POST", "intake", path, link, json=question)
    assert refused.status_code == 403
    tampered = f"{link[:-6]}AAAAAA"
    for service, path in (
        ("intake", f"/v1/requests/{record_id}/subject"),
        ("audit", f"/v1/subject/{record_id}/accesses"),
        ("routing", f"/v1/jobs/{record_id}"),
    ):
        refused = await _resident(county, "GET", service, path, tampered)
        assert refused.status_code == 401, (service, path)
        assert tampered not in refused.text


async def test_a_link_is_in_an_answer_only_where_it_is_asked_for_or_given_by_an_agent(
    county: County,
) -> None:
    plain = await county.submit(submission(123))
    assert "extended_attributes" not in plain.json()[0]
    asked = await county.submit(submission(124, extensions="true"), form="xml")
    assert xml(asked).findtext("request/extended_attributes/link_token")
    record_id = plain.json()[0]["service_request_id"]
    path = f"/v1/requests/{record_id}/link"
    order = {"justification": "told the agent the description and the date"}
    given = await county.post("intake", path, order, "agent", "olga")
    held = await _held(county, record_id, given["token"])
    assert held["service_request_id"] == record_id
