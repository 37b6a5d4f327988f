"""Signing in again on one's own machine, to approve something.

A native app's authorization code flow (RFC 8252): the browser opens the identity provider's page,
and comes back to a port of this machine that listens for this one answer. PKCE with S256 (RFC
7636), no secret. `prompt=login` makes the person sign in even if the browser remembers them, and
the ID token carries the hash of what is approved as its `nonce`.
"""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode, urlsplit

from direct311.runtime.access.fresh_sign_in import FRESH, ApprovalError, Approvals
from direct311.runtime.access.identity import Issuer
from direct311.runtime.errors import TransientError
from direct311.runtime.peers import HttpClient, HttpError
from direct311.schemas import events as ev

PATH = "/callback"
LONGEST_HEAD = 16_384
"""The most bytes of a browser's request that are read."""

_ANSWERS = {
    True: "You have signed in. You can close this page and go back to the terminal.",
    False: "This sign-in did not work. Go back to the terminal.",
}


class SignInError(Exception):
    """The person did not sign in; the message says why, in our own words."""


@dataclass(frozen=True, slots=True)
class FreshSignIn:
    """What came of it: the approval, and an access token for the service that was named."""

    approval: ev.Approval
    access_token: str = field(repr=False)


async def sign_in_again(
    approvals: Approvals,
    issuer: Issuer,
    http: HttpClient,
    nonce: str,
    open_page: Callable[[str], object],
    *,
    audience: str | None = None,
    seconds: float = 300.0,
) -> FreshSignIn:
    """Let the person sign in for the approval that `nonce` stands for.

    `open_page` shows a page of the identity provider to the person, for example in their browser.
    `audience`: the service for which the access token shall be good. Waits up to `seconds`.

    :raises SignInError: nobody signed in in time, or the provider refused or does not answer.
    """
    try:
        document = await issuer.document()
        page, tokens = document["authorization_endpoint"], document["token_endpoint"]
    except (TransientError, KeyError):
        raise SignInError("The identity provider does not answer.") from None
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    resource = {"resource": audience} if audience else {}
    async with _Loopback(state) as loopback:
        query = {
            "response_type": "code",
            "client_id": approvals.client_id,
            "redirect_uri": loopback.address,
            "scope": "openid",
            "state": state,
            "nonce": nonce,
            "prompt": "login",
            "max_age": str(int(FRESH.total_seconds())),
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
            **resource,
        }
        open_page(f"{page}?{urlencode(query)}")
        try:
            code = await asyncio.wait_for(loopback.code, seconds)
        except TimeoutError:
            raise SignInError("Nobody signed in in time.") from None
        form = {
            "grant_type": "authorization_code",
            "client_id": approvals.client_id,
            "code": code,
            "redirect_uri": loopback.address,
            "code_verifier": verifier,
            **resource,
        }
    try:
        answer = await http.post_form(tokens, form)
        id_token, access_token = str(answer["id_token"]), str(answer["access_token"])
    except (HttpError, KeyError, TypeError):
        raise SignInError("The identity provider did not confirm the sign-in.") from None
    try:
        approval = await approvals.approved(id_token, nonce, datetime.now(UTC), issuer)
    except ApprovalError as error:
        raise SignInError(f"The sign-in is no approval: {error}.") from None
    except TransientError:
        raise SignInError("The identity provider does not answer.") from None
    return FreshSignIn(approval, access_token)


class _Loopback:
    """Listens on this machine only, at any free port, for the one answer with this state."""

    def __init__(self, state: str) -> None:
        self._state = state
        self.code: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.address = ""

    async def __aenter__(self) -> "_Loopback":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=LONGEST_HEAD)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}{PATH}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.code.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(10):
                head = await reader.readuntil(b"\r\n\r\n")
            writer.write(self._answer(head.split(b"\r\n")[0].decode("latin-1")))
            await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            # Not a browser; keep listening.
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _answer(self, request: str) -> bytes:
        method, _, rest = request.partition(" ")
        target = urlsplit(rest.partition(" ")[0])
        if method != "GET" or target.path != PATH:
            return _page("404 Not Found", good=False)
        given = {name: values[0] for name, values in parse_qs(target.query).items()}
        if not hmac.compare_digest(given.get("state", "").encode(), self._state.encode()):
            # Somebody else's page; the person's own may still come.
            return _page("400 Bad Request", good=False)
        code = given.get("code")
        if not self.code.done():
            if code:
                self.code.set_result(code)
            else:
                self.code.set_exception(SignInError("The identity provider refused the sign-in."))
        return _page("200 OK", good=bool(code))


def _page(status: str, *, good: bool) -> bytes:
    body = f"<!doctype html><meta charset=utf-8><title>Direct311</title><p>{_ANSWERS[good]}"
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\n"
        f"content-length: {len(body.encode())}\r\ncache-control: no-store\r\n"
        "content-security-policy: default-src 'none'\r\nreferrer-policy: no-referrer\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body.encode()


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
