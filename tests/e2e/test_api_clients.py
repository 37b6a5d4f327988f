"""API clients over a running gateway: keys, scopes, quotas, rotation, revocation, web pages."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.county import County, Document, until
from tests.support.submissions import submission

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

PAGE = "https://311.example.org"


def _new() -> str:
    return f"client-{uuid4().hex[:12]}"


async def _add(county: County, **order: Any) -> tuple[str, str]:
    """A new client's id and key."""
    body = {
        "reference": "WO-1",
        "client_id": _new(),
        "name": "A front end",
        "environment": "test",
        **order,
    }
    answer = await county.post("intake", "/v1/clients", body, "admin", "adam")
    return str(body["client_id"]), str(answer["key"])


async def _do(county: County, path: str, **order: Any) -> Document:
    body = {"reference": "WO-2", **order}
    answer = await county.post("intake", f"/v1/clients/{path}", body, "admin", "adam")
    return dict(answer)


async def _send(
    county: County,
    key: str,
    number: int = 500,
    form: str = "json",
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    fields = {**submission(number), "api_key": key}
    return await county.submit(fields, client=None, form=form, headers=headers)


async def test_a_new_client_submits_within_seconds_and_a_revoked_one_no_more(
    county: County,
) -> None:
    client_id, key = await _add(county, channel="kiosk")
    answer = await _send(county, key)
    assert answer.status_code == 200, answer.text
    record_id = answer.json()[0]["service_request_id"]
    assert (await county.request(record_id))["extended_attributes"]["channel"] == "kiosk"

    await _do(county, f"{client_id}/revoke")
    refused = await _send(county, key)
    assert refused.status_code == 403
    assert refused.json() == [{"code": 403, "description": "api_key was revoked"}]
    assert key not in refused.text
    again = await county.ask(
        "POST",
        "intake",
        "/v1/clients",
        "admin",
        "adam",
        {"reference": "WO-6", "client_id": client_id, "name": "Else", "environment": "test"},
    )
    assert again.status_code == 409

    async def logged() -> bool:
        events = [json.loads(each.value or b"{}") for each in await county.messages("pii.accessed")]
        operations = {
            event["where"]["operation"]
            for event in events
            if event["action"] == "policy_change" and client_id in event["why"].get("reference", "")
        }
        return operations == {"POST /v1/clients", "POST /v1/clients/{client_id}/revoke"}

    await until(logged, "each change is in the log")


async def test_two_keys_are_good_while_they_are_exchanged(county: County) -> None:
    client_id, old = await _add(county)
    body = {"reference": "WO-3", "overlap_hours": 1}
    made = await county.post("intake", f"/v1/clients/{client_id}/keys", body, "admin", "adam")
    assert (await _send(county, old, 501)).status_code == 200
    assert (await _send(county, made["key"], 501)).status_code == 200

    body = {"reference": "WO-4", "overlap_hours": 0}
    third = await county.post("intake", f"/v1/clients/{client_id}/keys", body, "admin", "adam")
    for gone in (old, made["key"]):
        refused = await _send(county, gone, 501)
        assert (refused.status_code, "expired" in refused.text) == (403, True)
    assert (await _send(county, third["key"], 501)).status_code == 200
    key_id = third["client"]["keys"][0]["key_id"]

    async def used() -> bool:
        shown = await county.get("intake", f"/v1/clients/{client_id}", "admin", "adam")
        return bool(shown["keys"][0]["last_used_at"])

    await until(used, "when the key was used is told")
    await _do(county, f"{client_id}/keys/{key_id}/revoke")
    assert (await _send(county, third["key"], 501)).status_code == 403


@pytest.mark.parametrize(
    ("order", "headers", "field"),
    [
        ({"scopes": ["read"]}, {}, "scope submit"),
        ({"jurisdictions": ["broward"]}, {}, "jurisdiction_id"),
        ({"environment": "production"}, {}, "production"),
        ({"origins": [PAGE]}, {"Origin": "https://evil.example"}, "Origin"),
        ({}, {"Origin": PAGE}, "Origin"),
    ],
    ids=["scope", "jurisdiction", "environment", "another page", "no page"],
)
@pytest.mark.parametrize("form", ["json", "xml"])
async def test_a_key_is_refused_for_what_it_is_not_for(
    county: County, order: Document, headers: dict[str, str], field: str, form: str
) -> None:
    _, key = await _add(county, **order)
    refused = await _send(county, key, 502, form, headers)
    assert refused.status_code == 403
    assert field in refused.text
    assert refused.headers["content-type"].startswith("text/xml" if form == "xml" else "appl")
    for secret in (key, *headers.values()):
        assert secret not in refused.text


async def test_what_an_order_names_twice_counts_once(county: County) -> None:
    client_id, _ = await _add(county, scopes=["read", "submit", "read"], origins=[PAGE, PAGE])
    shown = await county.get("intake", f"/v1/clients/{client_id}", "admin", "adam")
    assert (shown["scopes"], shown["origins"]) == (["read", "submit"], [PAGE])


async def test_a_quota_lets_in_no_call_more_and_says_when_to_come_again(county: County) -> None:
    _, key = await _add(county, quota={"minute": 7, "day": 7})
    answers = await asyncio.gather(*(_send(county, key, 503) for _ in range(20)))
    codes = sorted(each.status_code for each in answers)
    assert codes == [200] * 7 + [429] * 13
    for form in ("json", "xml"):
        refused = await _send(county, key, 503, form)
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= 86_400
        assert "api_key" in refused.text


async def test_a_page_of_the_client_may_use_the_key_from_a_browser(county: County) -> None:
    page = f"https://{uuid4().hex[:8]}.example.org"
    _, key = await _add(county, origins=[page])
    url = f"{county.known.services['intake']}/open311/v2/requests.json"
    preflight = {"Access-Control-Request-Method": "POST"}
    answer = await county.http.options(url, headers={"Origin": page, **preflight})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == page
    assert "access-control-allow-credentials" not in answer.headers
    evil = {"Origin": "https://evil.example", **preflight}
    assert (await county.http.options(url, headers=evil)).status_code == 403
    sent = await _send(county, key, 504, headers={"Origin": page})
    assert sent.status_code == 200
    assert sent.headers["access-control-allow-origin"] == page
    shown = await county.http.get(url, headers={"Origin": "https://anybody.example"})
    assert shown.headers["access-control-allow-origin"] == "*"


async def test_every_answer_carries_its_security_headers(county: County) -> None:
    base = county.known.services["intake"]
    record_id = await county.accepted(submission(505))
    for path in (
        "/open311/v2/services.json",
        f"/open311/v2/requests/{record_id}.xml",
        "/v1/policy",
        "/v1/clients",
        "/no/such/place",
        "/health/live",
        "/docs",
    ):
        headers = (await county.http.get(base + path)).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "no-referrer", path
        assert headers["content-security-policy"].startswith("default-src 'none'"), path
        assert "cache-control" in headers, path
    for role, path in (("agent", f"/v1/requests/{record_id}/contact"), ("admin", "/v1/clients")):
        answer = await county.ask("GET", "intake", path, role)
        assert answer.headers["cache-control"] == "no-store"


async def test_no_list_of_clients_tells_a_key_or_its_hash(county: County) -> None:
    _, key = await _add(county)
    answer = await county.ask("GET", "intake", "/v1/clients", "admin", "adam")
    assert key not in answer.text
    assert key[:14] in answer.text
    assert "sha256" not in answer.text
    with county.database() as database:
        stored = str(list(database["intake"]["clients"].find()))
    assert key not in stored


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"client_id": "Not An Id"}, "client_id"),
        ({"environment": "staging"}, "environment"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["delete"]}, "scopes.0"),
        ({"origins": ["https://page.example/path"]}, "origins.0"),
        ({"origins": ["*"]}, "origins.0"),
        ({"quota": {"minute": 0}}, "quota.minute"),
        ({"name": "two\nlines"}, "name"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"reference": ""}, "reference"),
    ],
)
async def test_a_malformed_order_is_refused_by_field(
    county: County, change: Document, field: str
) -> None:
    body = {
        "reference": "WO-5",
        "client_id": _new(),
        "name": "Somebody",
        "environment": "test",
        **change,
    }
    answer = await county.ask("POST", "intake", "/v1/clients", "admin", "adam", body)
    assert answer.status_code == 422
    assert answer.json()["field"] == field
    assert "Somebody" not in answer.text
