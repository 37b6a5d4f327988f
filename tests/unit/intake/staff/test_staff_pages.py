"""Staff in a browser: in through the development issuer, out again, and nobody else's forms."""

import base64
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from deploy.local import identity
from direct311.intake.request import ServiceRequest, SuspicionFlag
from direct311.intake.staff.api.pages import StaffPages
from direct311.runtime.access.identity import Authenticator, Issuer
from direct311.runtime.access.sign_ins import SignIns
from direct311.runtime.http.api import install
from direct311.runtime.http.health import Readiness
from direct311.runtime.http.staff import LOGIN, SESSION, StaffSignIn
from direct311.runtime.peers import HttpClient
from direct311.runtime.telemetry import Metrics
from tests.support.identity import audience_of, services_of
from tests.support.intake_stores import InMemoryEndedSessions
from tests.support.runtime import NOW, SetClock
from tests.unit.runtime.access.test_sign_ins import Written

URL = "https://issuer.test"
BACK = "https://intake.test/staff/callback"


class Marked:
    """Requests that were marked; one name would be code, were it not escaped."""

    async def flagged(
        self, flag: SuspicionFlag | None, before: datetime, limit: int
    ) -> Sequence[ServiceRequest]:
        return [
            ServiceRequest(
                record_id="r-1",
                received_at=NOW,
                client_id="<script>",
                service_code="A",
                marks=("burst",),
            )
        ]


class StaffPagesUnderTest:
    def __init__(self) -> None:
        self.clock = SetClock()
        self.ended = InMemoryEndedSessions()
        self.ledger = Written()
        provider = identity.create_app(
            identity.Issuer(URL, "identity-1", bytes(range(32))),
            {"svc-intake": identity.Client("intake", "s3cret", audience_of("intake"), [BACK])},
            "operator",
        )
        self.provider = TestClient(provider, base_url=URL, follow_redirects=False)
        http = HttpClient(transport=httpx.ASGITransport(app=provider))
        issuer = Issuer(URL, http)
        self.sign_ins = SignIns(self.ledger, self.clock)
        authenticator = Authenticator(issuer, URL, services_of("intake"), self.sign_ins)
        sign_in = StaffSignIn(
            issuer,
            URL,
            http,
            authenticator,
            services=services_of("intake"),
            client_secret="s3cret",
            redirect_url=BACK,
            clock=self.clock,
            ended=self.ended,
        )
        app = FastAPI()
        install(app, Readiness(), Metrics(), self.ledger)
        pages = StaffPages(sign_in, Marked())  # type: ignore[arg-type]
        app.router.routes.extend(pages.routes())
        self.browser = TestClient(app, base_url="https://intake.test", follow_redirects=False)
        self.other = TestClient(app, base_url="https://intake.test", follow_redirects=False)

    def begin(self) -> str:
        answer = self.browser.get("/staff/login")
        assert answer.status_code == 303
        return str(answer.headers["location"])

    def back(self, address: str, roles: str = "agent", **change: str) -> str:
        """The person types who they are; where the provider sends them then."""
        form = {"sub": "eva", "roles": roles, "operator_secret": "operator", **change}
        answer = self.provider.post(address.removeprefix(URL), data=form)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    def sign_in(self, roles: str = "agent") -> httpx.Response:
        answer: httpx.Response = self.browser.get(self.back(self.begin(), roles))
        return answer

    def csrf(self) -> str:
        page = self.browser.get("/staff/marked").text
        found = re.search(r'name="csrf" value="([^"]+)"', page)
        assert found
        return found[1]


@pytest.fixture
def staff() -> StaffPagesUnderTest:
    return StaffPagesUnderTest()


def test_who_is_not_signed_in_is_sent_to_the_provider_with_pkce(staff: StaffPagesUnderTest) -> None:
    assert staff.browser.get("/staff/marked").headers["location"] == "/staff/login"
    asked = parse_qs(urlsplit(staff.begin()).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [BACK]
    assert len(asked["state"][0]) >= 43
    assert len(asked["nonce"][0]) >= 43


@pytest.mark.anyio
async def test_an_agent_signs_in_sees_marked_requests_and_it_is_in_the_log(
    staff: StaffPagesUnderTest,
) -> None:
    answer = staff.sign_in()
    assert (answer.status_code, answer.headers["location"]) == (303, "/staff/marked")
    session = next(
        each for each in answer.headers.get_list("set-cookie") if each.startswith(f"{SESSION}=")
    )
    assert "Path=/; Secure; HttpOnly; SameSite=Lax" in session
    assert "Domain" not in session
    page = staff.browser.get("/staff/marked")
    assert page.status_code == 200
    assert "r-1" in page.text
    assert "Signed in as eva" in page.text
    assert "<script" not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "script-src" not in page.headers["content-security-policy"]
    await staff.sign_ins.flush()
    assert [(a.action, a.caller.sub) for a, _, _ in staff.ledger.written] == [("sign_in", "eva")]


def test_a_cookie_tells_nothing_and_cannot_be_made_or_changed(staff: StaffPagesUnderTest) -> None:
    staff.sign_in()
    sealed = staff.browser.cookies[SESSION]
    # Sealed: neither the token itself, which has dots, nor the names of what is in it.
    assert "." not in sealed
    assert not re.search(rb"token|csrf", base64.urlsafe_b64decode(sealed))
    for forged in (sealed[:-4] + "AAAA", "", "nonsense", staff.begin()):
        staff.other.cookies.clear()
        staff.other.cookies.set(SESSION, forged)
        assert staff.other.get("/staff/marked").status_code == 303
    # What was sealed for a login is no session.
    staff.other.cookies.set(SESSION, staff.browser.cookies[LOGIN])
    assert staff.other.get("/staff/marked").status_code == 303


def test_a_role_that_may_not_is_refused_and_written_down(staff: StaffPagesUnderTest) -> None:
    staff.sign_in("auditor")
    assert staff.browser.get("/staff/marked").status_code == 403
    ((access, _, outcome),) = staff.ledger.written
    assert (access.operation, access.caller.sub, outcome) == (
        "GET /staff/marked",
        "eva",
        "denied",
    )


def test_signing_out_needs_the_pages_own_form(staff: StaffPagesUnderTest) -> None:
    staff.sign_in()
    for form in ({}, {"csrf": ""}, {"csrf": "x" * 43}):
        assert staff.browser.post("/staff/logout", data=form).status_code == 403
    assert staff.browser.get("/staff/marked").status_code == 200
    assert staff.ended.until == {}
    answer = staff.browser.post("/staff/logout", data={"csrf": staff.csrf()})
    assert answer.status_code == 303
    assert staff.browser.get("/staff/marked").status_code == 303


def test_who_signs_out_ends_every_copy_of_the_cookie_and_no_other_session(
    staff: StaffPagesUnderTest,
) -> None:
    staff.sign_in()
    copied, csrf = staff.browser.cookies[SESSION], staff.csrf()
    staff.browser.cookies.clear()
    staff.sign_in()
    another = staff.browser.cookies[SESSION]
    staff.other.cookies.set(SESSION, copied)
    assert staff.other.post("/staff/logout", data={"csrf": csrf}).status_code == 303
    staff.other.cookies.clear()
    staff.other.cookies.set(SESSION, copied)
    assert staff.other.get("/staff/marked").headers["location"] == "/staff/login"
    staff.other.cookies.clear()
    staff.other.cookies.set(SESSION, another)
    assert staff.other.get("/staff/marked").status_code == 200
    # As long as it could have lived, and by nothing that a form or a cookie has in it.
    ((session_id, until),) = staff.ended.until.items()
    assert until == NOW + timedelta(hours=1)
    assert csrf not in session_id


@pytest.mark.parametrize("change", ["state", "code", "cookie", "late", "twice", "nothing"])
def test_an_answer_to_something_else_signs_nobody_in(
    staff: StaffPagesUnderTest, change: str
) -> None:
    back = staff.back(staff.begin())
    if change == "state":
        back = re.sub(r"state=[^&]+", "state=another", back)
    elif change == "code":
        back = re.sub(r"code=[^&]+", "code=another", back)
    elif change == "cookie":
        # Somebody else's link, clicked on in a browser that began nothing, or its own login.
        staff.browser.cookies.clear()
        staff.begin()
    elif change == "late":
        staff.clock.at += timedelta(minutes=11)
    elif change == "twice":
        staff.browser.get(back)
        kept = back
        staff.browser.cookies.clear()
        back = kept
    else:
        back = BACK
    answer = staff.browser.get(back)
    assert answer.status_code == 401
    assert SESSION not in answer.headers.get("set-cookie", "")


def test_a_session_ends_with_its_hour(staff: StaffPagesUnderTest) -> None:
    staff.sign_in()
    staff.clock.at += timedelta(minutes=59)
    assert staff.browser.get("/staff/marked").status_code == 200
    staff.clock.at += timedelta(minutes=2)
    assert staff.browser.get("/staff/marked").status_code == 303


def test_the_issuer_sends_a_code_to_no_address_that_it_does_not_know(
    staff: StaffPagesUnderTest,
) -> None:
    address = staff.begin().replace("intake.test", "evil.example")
    answer = staff.provider.get(address.removeprefix(URL))
    assert answer.status_code == 400
    assert "location" not in answer.headers


def test_a_code_is_good_once_for_who_has_the_verifier(staff: StaffPagesUnderTest) -> None:
    back = staff.back(staff.begin())
    code = parse_qs(urlsplit(back).query)["code"][0]
    form: dict[str, Any] = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": BACK,
        "client_id": "svc-intake",
        "client_secret": "s3cret",
        "code_verifier": "guessed",
    }
    assert staff.provider.post("/token", data=form).status_code == 400
    # It was used up by the attempt.
    assert staff.browser.get(back).status_code == 401
