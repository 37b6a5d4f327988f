"""Signing in at the development issuer: a program on a person's machine, with an ID token that says
when the person signed in."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from starlette.testclient import TestClient

from deploy.local import identity
from deploy.local.identity import Client, Issuer
from deploy.local.sign_in import LOOPBACK, SignIns, may_return_to

URL = "http://127.0.0.1:8310"
OPERATOR = "operator-secret"
RETENTION = "urn:direct311:retention"
PUBLIC = "direct311-approvals"
REDIRECTS = tuple(f"http://{host}/callback" for host in LOOPBACK)
CALLBACK = "http://127.0.0.1:53122/callback"
VERIFIER = "v" * 43
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)
START = 1_790_000_000


class Desk:
    """The issuer, its clock, and a browser with cookies."""

    def __init__(self, browser: TestClient) -> None:
        self.browser = browser
        self.now = float(START)

    def asked(self, **changes: str | None) -> dict[str, str]:
        query = {
            "response_type": "code",
            "client_id": PUBLIC,
            "redirect_uri": CALLBACK,
            "scope": "openid",
            "state": "s-1",
            "nonce": "n-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **changes,
        }
        return {name: value for name, value in query.items() if value is not None}

    def open(self, **changes: str | None) -> Any:
        """Open the page; what is already signed in may be enough."""
        return self.browser.get("/authorize", params=self.asked(**changes), follow_redirects=False)

    def fill(self, *, sub: str = "olga", stay: bool = False, **changes: str | None) -> Any:
        """Fill the form in, and send it."""
        form = {"sub": sub, "roles": "counsel records_officer", "operator_secret": OPERATOR}
        return self.browser.post(
            "/authorize",
            params=self.asked(**changes),
            data=form | ({"stay": "1"} if stay else {}),
            follow_redirects=False,
        )

    def redeem(self, answer: Any, **changes: str | None) -> Any:
        """Exchange the code in an answer for tokens."""
        form = {
            "grant_type": "authorization_code",
            "client_id": PUBLIC,
            "code": returned(answer)["code"],
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
            **changes,
        }
        given = {name: value for name, value in form.items() if value is not None}
        return self.browser.post("/token", data=given)

    def read(self, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Head and claims of a token, after checking the issuer's signature."""
        keys = KeySet.import_key_set(self.browser.get("/jwks").json())
        decoded = jwt.decode(token, keys, algorithms=["Ed25519"])
        return dict(decoded.header), dict(decoded.claims)


def returned(answer: Any) -> dict[str, str]:
    assert answer.status_code == 303, answer.text
    return {
        name: values[0]
        for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()
    }


@pytest.fixture
def desk() -> Iterator[Desk]:
    clients = {
        PUBLIC: Client(public=True, redirects=REDIRECTS),
        "svc-retention": Client("retention", "s3cret", RETENTION, redirects=["https://x/callback"]),
    }
    sign_ins = SignIns()
    app = identity.create_app(
        Issuer(URL, "identity-1", bytes(range(32))), clients, OPERATOR, sign_ins
    )
    with TestClient(app, base_url=URL) as browser:
        desk = Desk(browser)
        sign_ins.now = lambda: desk.now
        yield desk


def test_an_id_token_says_who_signed_in_and_when(desk: Desk) -> None:
    granted = desk.redeem(desk.fill()).json()
    head, claims = desk.read(granted["id_token"])
    assert head["typ"] == "JWT"
    assert (claims["iss"], claims["sub"], claims["aud"]) == (URL, "olga", PUBLIC)
    assert (claims["auth_time"], claims["nonce"]) == (START, "n-1")
    assert claims["roles"] == ["counsel", "records_officer"]
    assert claims["exp"] - claims["iat"] == 300
    access, _ = desk.read(granted["access_token"])
    assert access["typ"] == "at+jwt"


def test_without_a_resource_the_access_token_is_for_no_service(desk: Desk) -> None:
    _, claims = desk.read(desk.redeem(desk.fill()).json()["access_token"])
    assert claims["aud"] == URL
    answer = desk.redeem(desk.fill(resource=RETENTION))
    _, claims = desk.read(answer.json()["access_token"])
    assert (claims["aud"], claims["client_id"]) == (RETENTION, PUBLIC)


def test_the_answer_carries_the_state_of_the_request(desk: Desk) -> None:
    answer = desk.fill(state="s-77")
    assert answer.headers["location"].startswith(f"{CALLBACK}?")
    assert returned(answer)["state"] == "s-77"


# ---------------------------------------------------------------- how fresh


def test_who_stays_signed_in_keeps_the_time_of_the_sign_in(desk: Desk) -> None:
    desk.redeem(desk.fill(stay=True))
    desk.now += 3_000
    _, claims = desk.read(desk.redeem(desk.open()).json()["id_token"])
    assert (claims["sub"], claims["auth_time"]) == ("olga", START)


def test_nobody_stays_signed_in_who_did_not_ask_for_it(desk: Desk) -> None:
    desk.redeem(desk.fill())
    assert desk.open().status_code == 200


@pytest.mark.parametrize(
    ("passed", "max_age", "again"),
    [(10, "300", False), (299, "300", False), (300, "300", True), (0, "0", True)],
)
def test_max_age_asks_again_after_so_many_seconds(
    desk: Desk, passed: int, max_age: str, again: bool
) -> None:
    desk.redeem(desk.fill(stay=True))
    desk.now += passed
    assert desk.open(max_age=max_age).status_code == (200 if again else 303)


def test_prompt_login_asks_again_at_once(desk: Desk) -> None:
    desk.redeem(desk.fill(stay=True))
    assert desk.open(prompt="login").status_code == 200
    desk.now += 60
    _, claims = desk.read(desk.redeem(desk.fill(prompt="login")).json()["id_token"])
    assert claims["auth_time"] == START + 60


def test_prompt_none_never_asks(desk: Desk) -> None:
    assert returned(desk.open(prompt="none"))["error"] == "login_required"
    assert returned(desk.fill(prompt="none"))["error"] == "login_required"
    desk.redeem(desk.fill(stay=True))
    assert "code" in returned(desk.open(prompt="none"))


def test_a_session_ends(desk: Desk) -> None:
    desk.redeem(desk.fill(stay=True))
    desk.now += 8 * 3600
    assert desk.open().status_code == 200


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None},
        {"code_challenge": ""},
        {"code_challenge": "short"},
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"response_type": "token"},
        {"prompt": "consent"},
        {"max_age": "-1"},
        {"max_age": "soon"},
        {"resource": "urn:direct311:none"},
    ],
)
def test_a_request_that_is_not_good_gets_no_form(desk: Desk, changes: dict[str, Any]) -> None:
    assert desk.open(**changes).status_code == 400
    assert desk.fill(**changes).status_code == 400


@pytest.mark.parametrize(
    ("uri", "good"),
    [
        ("http://127.0.0.1:1/callback", True),
        ("http://[::1]:65535/callback", True),
        ("http://127.0.0.1/callback", False),
        ("http://127.0.0.1:0x50/callback", False),
        ("http://127.0.0.1:99999/callback", False),
        ("http://localhost:8000/callback", False),
        ("http://127.0.0.1:8000/other", False),
        ("http://127.0.0.1:8000/callback?x=1", False),
        ("http://127.0.0.1:8000/callback#x", False),
        ("http://me@127.0.0.1:8000/callback", False),
        ("http://127.0.0.1:8000@evil.example/callback", False),
        ("https://127.0.0.1:8000/callback", False),
        ("http://127.0.0.2:8000/callback", False),
        ("https://evil.example/callback", False),
        (None, False),
    ],
)
def test_people_are_sent_back_only_to_their_own_machine(
    desk: Desk, uri: str | None, good: bool
) -> None:
    assert may_return_to(uri, REDIRECTS, public=True) is good
    assert desk.open(redirect_uri=uri).status_code == (200 if good else 400)


def test_a_service_is_sent_back_only_to_its_registered_address() -> None:
    assert may_return_to("https://x/callback", ["https://x/callback"], public=False)
    assert not may_return_to(CALLBACK, ["http://127.0.0.1/callback"], public=False)


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "w" * 43},
        {"code_verifier": None},
        {"redirect_uri": "http://127.0.0.1:53123/callback"},
        {"resource": RETENTION},
    ],
)
def test_a_code_is_good_only_for_what_it_was_given_for(desk: Desk, changes: dict[str, Any]) -> None:
    answer = desk.fill()
    refused = desk.redeem(answer, **changes)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert desk.redeem(answer).status_code == 400, "and then it is used up"


def test_a_code_is_good_once_and_for_a_minute(desk: Desk) -> None:
    answer = desk.fill()
    assert desk.redeem(answer).status_code == 200
    assert desk.redeem(answer).status_code == 400
    late = desk.fill()
    desk.now += 61
    assert desk.redeem(late).status_code == 400


@pytest.mark.parametrize(
    "grant", ["client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"]
)
def test_a_public_client_only_signs_people_in(desk: Desk, grant: str) -> None:
    answer = desk.redeem(desk.fill(), grant_type=grant, resource=RETENTION)
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


def test_a_public_client_has_no_secret(desk: Desk) -> None:
    assert desk.redeem(desk.fill(), client_secret="anything").status_code == 401


def test_a_service_without_its_secret_is_not_a_public_client(desk: Desk) -> None:
    assert desk.redeem(desk.fill(), client_id="svc-retention").status_code == 401
