"""Who saw my data: a page asks the gateway, and the answer is in the reader's language."""

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from deploy.local.stack import Stack
from tests.support.app_api import App, order
from tests.support.county import County, Document, entering, until

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]


@pytest.fixture
async def county(disposable: Stack) -> AsyncIterator[County]:
    """A stack whose audit service may be stopped for a while."""
    async with entering(disposable) as county:
        yield county


async def _asked(
    county: County, record_id: str, link: str, language: str = "en", **query: str
) -> httpx.Response:
    url = f"{county.known.services['intake']}/v1/requests/{record_id}/accesses"
    headers = {"Authorization": f"Bearer {link}", "Accept-Language": language}
    return await county.http.get(url, headers=headers, params=query, timeout=30)


async def _listed(county: County, record_id: str, link: str, role: str, action: str) -> Document:
    """The newest access of this kind, once it is in the list."""

    async def look() -> Document | None:
        answer = await _asked(county, record_id, link)
        assert answer.status_code == 200, answer.text
        assert "olga" not in answer.text
        found = answer.json()["accesses"]
        return next(
            (each for each in found if (each["roles"], each["action"]) == ([role], action)), None
        )

    return await until(look, f"the resident sees {action} by {role}")


@pytest.mark.policy("P13")
async def test_a_resident_sees_at_the_gateway_who_saw_their_data(county: County) -> None:
    record_id, link = await App(county).submitted(order(950))
    read = await county.read_contact(record_id, "agent", "olga")
    assert read.status_code == 200, read.text

    access = await _listed(county, record_id, link, "agent", "view")
    assert (access["who"], access["what"], access["why"]) == (
        "An agent of the 311 Contact Center",
        "Looked at it.",
        "To respond to the service request.",
    )
    assert {each["field"]: each["name"] for each in access["fields"]} == {
        "first_name": "First name",
        "phone": "Telephone number",
    }

    # The question is an access of the resident's own.
    own = await _listed(county, record_id, link, "resident", "log_read")
    assert own["outcome"] == "success"

    for language, agent in (
        ("es-US, en;q=0.5", "Un agente del Centro de Contacto 311"),
        ("ht", "Yon ajan Sant Kontak 311 la"),
    ):
        answer = await _asked(county, record_id, link, language)
        assert answer.headers["content-language"] == language[:2]
        assert answer.headers["cache-control"] == "no-store"
        assert agent in {each["who"] for each in answer.json()["accesses"]}
        delay = answer.json()["delay"]
        assert delay["seconds"] == 60
        assert "60" in delay["text"]

    first = (await _asked(county, record_id, link, limit="1")).json()
    second = (await _asked(county, record_id, link, limit="1", cursor=first["next"])).json()
    assert len(first["accesses"]) == len(second["accesses"]) == 1
    wrong = await _asked(county, record_id, link, cursor="nonsense")
    assert wrong.json()["type"] == "urn:direct311:problem:cursor"


async def test_the_link_of_another_request_and_staff_are_refused(county: County) -> None:
    record_id, _ = await App(county).submitted(order(951))
    _, other = await App(county).submitted(order(952))
    assert (await _asked(county, record_id, other)).status_code == 403
    assert (await _asked(county, record_id, f"{other[:-6]}AAAAAA")).status_code == 401
    path = f"/v1/requests/{record_id}/accesses"
    for role in ("agent", "auditor", "admin"):
        assert (await county.ask("GET", "intake", path, role)).status_code == 403
    # Nor does audit take the question from anybody but intake.
    body = {"link": other}
    asked = await county.ask("POST", "audit", "/internal/subject/accesses", "auditor", body=body)
    assert asked.status_code == 403
    media = await county.service_headers("svc-media", "audit")
    url = f"{county.known.services['audit']}/internal/subject/accesses"
    refused = await county.http.post(url, json=body, headers=media)
    assert (refused.status_code, refused.json()["title"]) == (403, "caller")


async def test_a_page_of_a_client_may_ask(county: County) -> None:
    page = f"https://{uuid4().hex[:8]}.example.org"
    client = {
        "reference": "WO-1",
        "client_id": f"client-{uuid4().hex[:12]}",
        "name": "A front end in a browser",
        "environment": "test",
        "origins": [page],
    }
    await county.post("intake", "/v1/clients", client, "admin", "adam")
    record_id, link = await App(county).submitted(order(953))
    url = f"{county.known.services['intake']}/v1/requests/{record_id}/accesses"
    wanted = {
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization,accept-language",
    }
    preflight = await county.http.options(url, headers={"Origin": page, **wanted})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == page
    allowed = preflight.headers["access-control-allow-headers"].lower()
    assert {"authorization", "accept-language"} <= set(allowed.split(", "))
    headers = {"Origin": page, "Authorization": f"Bearer {link}"}
    answer = await county.http.get(url, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["access-control-allow-origin"] == page
    evil = {"Origin": "https://evil.example", **wanted}
    assert (await county.http.options(url, headers=evil)).status_code == 403


async def test_without_audit_the_answer_is_503_and_following_goes_on(
    county: County, disposable: Stack
) -> None:
    app = App(county)
    record_id, link = await app.submitted(order(954))
    disposable.stop("audit")
    try:
        answer = await _asked(county, record_id, link)
        assert answer.status_code == 503
        assert answer.json()["type"] == "urn:direct311:problem:audit_unavailable"
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["content-type"] == "application/problem+json"
        assert await app.followed(record_id, link)
    finally:
        disposable.start("audit")
        disposable.wait_ready("audit")

    async def again() -> bool:
        return (await _asked(county, record_id, link)).status_code == 200

    await until(again, "the question is answered once audit is back")
