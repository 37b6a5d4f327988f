"""An agent in a browser: through the provider to the page of flagged requests."""

import json
import re
from uuid import uuid4

import pytest

from direct311.runtime.http.staff import LOGIN, SESSION
from tests.support.county import County, until
from tests.support.submissions import submission

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]


def _cookie(answer_cookies: list[str], name: str) -> dict[str, str]:
    """The header that a browser sends back; ours are for HTTPS alone, and here is none."""
    found = next(each for each in answer_cookies if each.startswith(f"{name}="))
    assert "Secure; HttpOnly; SameSite=Lax" in found
    return {"Cookie": found.partition(";")[0]}


async def test_an_agent_signs_in_and_sees_what_is_marked(county: County) -> None:
    fields = {**submission(900), "description": f"Twice {uuid4().hex}"}
    await county.accepted(fields)
    again = await county.accepted(fields)
    gate = county.known.services["intake"]
    who = f"agent-{uuid4().hex[:8]}"

    sent = await county.http.get(f"{gate}/staff/login")
    assert sent.status_code == 303
    person = {"sub": who, "roles": "agent", "operator_secret": county.known.operator_secret}
    confirmed = await county.http.post(sent.headers["location"], data=person)
    assert confirmed.status_code == 303
    back = confirmed.headers["location"]
    assert back.startswith(f"{gate}/staff/callback?")
    login = _cookie(sent.headers.get_list("set-cookie"), LOGIN)
    inside = await county.http.get(back, headers=login)
    assert inside.status_code == 303
    session = _cookie(inside.headers.get_list("set-cookie"), SESSION)

    page = await county.http.get(f"{gate}/staff/marked", headers=session)
    assert page.status_code == 200
    assert again in page.text
    assert fields["phone"] not in page.text
    nobody = await county.http.get(f"{gate}/staff/marked")
    assert (nobody.status_code, nobody.headers["location"]) == (303, "/staff/login")

    (csrf,) = re.findall(r'name="csrf" value="([^"]+)"', page.text)
    out = await county.http.post(f"{gate}/staff/logout", data={"csrf": csrf}, headers=session)
    assert out.status_code == 303
    # The cookie is still sent here; the session has ended all the same.
    after = await county.http.get(f"{gate}/staff/marked", headers=session)
    assert (after.status_code, after.headers["location"]) == (303, "/staff/login")

    async def logged() -> bool:
        events = [json.loads(each.value or b"{}") for each in await county.messages("pii.accessed")]
        return any(event["action"] == "sign_in" and event["agent"]["id"] == who for event in events)

    await until(logged, "the sign-in is in the log")
