"""Signing in again from the command line, in a browser without a screen."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from joserfc import jwt

from deploy.local import identity
from deploy.local.identity import Client
from direct311.cli.fresh_sign_in import FreshSignIn, SignInError, sign_in_again
from direct311.runtime.access.fresh_sign_in import ApprovalError, Approvals, nonce_of
from direct311.runtime.access.identity import Issuer
from direct311.runtime.peers import HttpClient
from tests.support.runtime import claims
from tests.support.sign_in import Browser

pytestmark = pytest.mark.anyio

URL = "http://127.0.0.1:8310"
OPERATOR = "operator-secret"
CLIENT = "direct311-approvals"
RETENTION = "urn:direct311:retention"
APPROVALS = Approvals(URL, CLIENT)
NONCE = nonce_of("disclosure-grant", {"case_id": "case-1"})


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Desk:
    """The development issuer, and a person's machine."""

    def __init__(self, app: httpx.ASGITransport) -> None:
        self.browser_side = httpx.AsyncClient(transport=app, base_url=URL)
        self.http = HttpClient(transport=app)
        self.issuer = Issuer(URL, self.http)

    async def sign_in(self, browser: Browser, seconds: float = 10.0) -> FreshSignIn:
        try:
            return await sign_in_again(
                APPROVALS,
                self.issuer,
                self.http,
                NONCE,
                browser.open,
                audience=RETENTION,
                seconds=seconds,
            )
        finally:
            await browser.closed()

    def browser(self, **more: object) -> Browser:
        return Browser(self.browser_side, OPERATOR, **more)  # type: ignore[arg-type]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    clients = {
        CLIENT: Client(public=True, redirects=["http://127.0.0.1/callback"]),
        "svc-retention": Client("retention", "s3cret", RETENTION),
    }
    app = identity.create_app(identity.Issuer(URL, "identity-1", bytes(32)), clients, OPERATOR)
    desk = Desk(httpx.ASGITransport(app))
    yield desk
    await desk.browser_side.aclose()
    await desk.http.close()


async def test_a_person_who_signs_in_again_has_approved(desk: Desk) -> None:
    browser = desk.browser()
    done = await desk.sign_in(browser)
    assert done.approval.approver == "carla"
    APPROVALS.check(done.approval, NONCE)
    with pytest.raises(ApprovalError):
        APPROVALS.check(done.approval, nonce_of("disclosure-grant", {"case_id": "case-2"}))
    assert claims(done.access_token)["aud"] == RETENTION
    assert done.access_token not in repr(done)
    assert browser.shown == [f"200 {browser.shown[0].removeprefix('200 ')}"]
    assert "go back to the terminal" in browser.shown[0]


async def test_it_asks_for_a_fresh_sign_in_with_pkce_on_this_machine(desk: Desk) -> None:
    browser = desk.browser()
    await desk.sign_in(browser)
    asked = browser.asked
    assert (asked["prompt"], asked["max_age"], asked["nonce"]) == ("login", "300", NONCE)
    assert (asked["code_challenge_method"], len(asked["code_challenge"])) == ("S256", 43)
    assert asked["redirect_uri"].startswith("http://127.0.0.1:")
    assert asked["redirect_uri"].endswith("/callback")
    assert "client_secret" not in asked


async def test_an_answer_with_another_state_is_not_the_persons(desk: Desk) -> None:
    """A page that somebody else opens sends a code of theirs to the waiting port."""
    browser = desk.browser(change=lambda address: f"{address}x")
    with pytest.raises(SignInError, match="in time"):
        await desk.sign_in(browser, seconds=3)
    assert browser.shown[0].startswith("400 ")


async def test_a_refusal_of_the_provider_ends_the_waiting(desk: Desk) -> None:
    browser = desk.browser(change=lambda address: address.replace("code=", "error="))
    with pytest.raises(SignInError, match="refused"):
        await desk.sign_in(browser)


async def test_a_code_that_is_not_good_is_no_sign_in(desk: Desk) -> None:
    browser = desk.browser(change=lambda address: address.replace("code=", "code=x"))
    with pytest.raises(SignInError, match="did not confirm"):
        await desk.sign_in(browser)


async def test_nobody_signs_in(desk: Desk) -> None:
    with pytest.raises(SignInError, match="in time"):
        await sign_in_again(APPROVALS, desk.issuer, desk.http, NONCE, lambda _: None, seconds=0.05)


async def test_other_calls_to_the_port_change_nothing(desk: Desk) -> None:
    async def stray(address: str) -> None:
        base = address.removesuffix("/callback")
        host, _, port = base.removeprefix("http://").rpartition(":")
        async with httpx.AsyncClient(trust_env=False) as machine:
            assert (await machine.get(f"{base}/favicon.ico")).status_code == 404
            assert (await machine.post(address)).status_code == 404
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"x" * 40_000)
        writer.close()

    browser = desk.browser()
    strays: list[asyncio.Task[None]] = []

    def open_page(page: str) -> None:
        browser.pages.append(page)
        first = asyncio.create_task(stray(browser.asked["redirect_uri"]))
        strays.append(first)
        first.add_done_callback(lambda _: browser.open(page))

    done = await sign_in_again(APPROVALS, desk.issuer, desk.http, NONCE, open_page, seconds=60)
    await asyncio.gather(*strays)
    await browser.closed()
    assert done.approval.approver == "carla"


async def test_an_id_token_for_something_else_is_no_approval(desk: Desk) -> None:
    """The provider is asked with another nonce than the one that is checked."""

    class Meddling(Browser):
        def open(self, page: str) -> None:
            super().open(page.replace(NONCE, "n" * 43))

    with pytest.raises(SignInError, match="no approval"):
        await desk.sign_in(Meddling(desk.browser_side, OPERATOR))


async def test_the_head_of_an_id_token_says_that_it_is_one(desk: Desk) -> None:
    done = await desk.sign_in(desk.browser())
    keys = await desk.issuer.keys()
    heads = [
        jwt.decode(token, keys, algorithms=["Ed25519"]).header["typ"]
        for token in (done.approval.id_token, done.access_token)
    ]
    assert heads == ["JWT", "at+jwt"]
