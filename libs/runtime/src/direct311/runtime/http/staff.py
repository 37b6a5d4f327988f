"""Staff in a browser: signed in through OpenID Connect, remembered in a sealed cookie.

Authorization code flow with PKCE (OpenID Connect Core 1.0, section 3.1; RFC 7636). The session is
the person's access token, made for this service (`resource`, RFC 8707), encrypted under a key that
is derived from the client's secret. So every copy of the service can read it, nothing is stored,
and it ends with the token. Signing out removes the cookie and ends the session, also for anybody
with a copy of the cookie: all copies of the service remember an ended session until it would have
expired anyway. The same rules decide what a page and a bearer token may do, and the first use of a
token is a sign-in in the log, wherever it came from.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlencode

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwt
from joserfc.errors import JoseError

from direct311.runtime.access.identity import (
    ALGORITHMS,
    Authenticator,
    Issuer,
    UnauthenticatedError,
)
from direct311.runtime.access.rules import Caller
from direct311.runtime.access.services import Services
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.peers import HttpClient, HttpError

SESSION = "__Host-direct311"
LOGIN = "__Host-direct311-login"
"""Browsers accept names with this prefix only with `Secure`, `Path=/` and no domain."""
LOGIN_SECONDS = 600
SESSION_SECONDS = 3600
"""The longest session; it ends earlier if the token expires first."""
FLAGS = "Path=/; Secure; HttpOnly; SameSite=Lax"
"""Lax, because people return from the provider through a link; changes need `csrf`."""


@dataclass(frozen=True, slots=True)
class Session:
    """The person who is signed in. `csrf` is in the forms of our pages and nowhere else."""

    caller: Caller
    csrf: str

    def check(self, given: str) -> None:
        """:raises RefusedError: the form does not come from one of our pages."""
        if not hmac.compare_digest(given.encode(), self.csrf.encode()):
            raise RefusedError("csrf", "Send the form from our own page.")


class EndedSessions(Protocol):
    """What all copies of a service know about sessions that were ended early."""

    async def add(self, session_id: str, until: datetime) -> None:
        """`until`: when the session would have expired."""
        ...

    async def has(self, session_id: str) -> bool: ...


class StaffSignIn:
    """`redirect_url`: where the provider sends people back to; it is registered with the
    provider."""

    def __init__(
        self,
        issuer: Issuer,
        issuer_url: str,
        http: HttpClient,
        authenticator: Authenticator,
        *,
        services: Services,
        client_secret: str,
        redirect_url: str,
        clock: Clock,
        ended: EndedSessions,
    ) -> None:
        self._ended = ended
        self._issuer = issuer
        self._issuer_url = issuer_url
        self._http = http
        self._authenticator = authenticator
        self._own = services.own
        self._client_secret = client_secret
        self._redirect_url = redirect_url
        self._clock = clock
        self._logins = _box(client_secret, b"direct311 staff login")
        self._sessions = _box(client_secret, b"direct311 staff session")

    async def begin(self) -> tuple[str, str]:
        """Where to send the person, and the cookie that must come back with them.

        :raises TransientError: the provider does not answer.
        """
        endpoint = (await self._issuer.document()).get("authorization_endpoint")
        if not endpoint:
            raise TransientError("the identity provider has no address for signing in")
        login = {name: secrets.token_urlsafe(32) for name in ("state", "nonce", "verifier")}
        digest = hashlib.sha256(login["verifier"].encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._own.client_id,
            "redirect_uri": self._redirect_url,
            "scope": f"openid {self._own.scope or ''}".strip(),
            "resource": self._own.audience,
            "state": login["state"],
            "nonce": login["nonce"],
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return f"{endpoint}?{urlencode(query)}", self._seal(self._logins, login)

    async def finish(self, cookie: str | None, state: str, code: str, host: str | None) -> str:
        """The session's cookie for a person who comes back with a code.

        :raises UnauthenticatedError: the answer does not belong to a sign-in that was started here.
        :raises TransientError: the provider does not answer.
        """
        login = self._open(self._logins, cookie, LOGIN_SECONDS)
        if login is None or not hmac.compare_digest(state.encode(), login["state"].encode()):
            raise UnauthenticatedError(
                "Sign in again; this sign-in was started elsewhere, or too long ago."
            )
        document = await self._issuer.document()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_url,
            "code_verifier": login["verifier"],
            "client_id": self._own.client_id,
            "client_secret": self._client_secret,
            "resource": self._own.audience,
        }
        try:
            answer = await self._http.post_form(document["token_endpoint"], form)
            access, id_token = str(answer["access_token"]), str(answer["id_token"])
        except (HttpError, KeyError, TypeError):
            raise UnauthenticatedError(
                "The identity provider did not confirm the sign-in."
            ) from None
        caller = await self._authenticator.caller(f"Bearer {access}", None, host)
        await self._check(id_token, login["nonce"], caller)
        return self._seal(self._sessions, {"token": access, "csrf": secrets.token_urlsafe(32)})

    async def session(self, cookie: str | None, host: str | None) -> Session | None:
        """The person who is signed in, if there is one."""
        found = self._open(self._sessions, cookie, SESSION_SECONDS)
        if found is None or await self._ended.has(_id(found["csrf"])):
            return None
        try:
            caller = await self._authenticator.caller(f"Bearer {found['token']}", None, host)
        except UnauthenticatedError:
            return None
        return Session(caller, found["csrf"])

    async def end(self, session: Session) -> None:
        """Sign out: no copy of the session's cookie is valid any more."""
        until = self._clock.now() + timedelta(seconds=SESSION_SECONDS)
        await self._ended.add(_id(session.csrf), until)

    async def _check(self, id_token: str, nonce: str, caller: Caller) -> None:
        """Check the ID token (section 3.1.3.7): it must be from the provider, for us, and for this
        sign-in and person."""
        registry = jwt.JWTClaimsRegistry(
            leeway=30,
            iss={"essential": True, "value": self._issuer_url},
            aud={"essential": True, "value": self._own.client_id},
            exp={"essential": True},
            nonce={"essential": True, "value": nonce},
            sub={"essential": True, "value": caller.sub},
        )
        try:
            decoded = jwt.decode(id_token, await self._issuer.keys(), algorithms=ALGORITHMS)
            registry.validate(decoded.claims)
        except (JoseError, ValueError):
            raise UnauthenticatedError(
                "The identity provider's answer is not for this sign-in."
            ) from None

    def _seal(self, box: Fernet, content: Mapping[str, str]) -> str:
        now = int(self._clock.now().timestamp())
        return box.encrypt_at_time(json.dumps(dict(content)).encode(), now).decode()

    def _open(self, box: Fernet, cookie: str | None, seconds: int) -> dict[str, Any] | None:
        now = int(self._clock.now().timestamp())
        try:
            opened = box.decrypt_at_time((cookie or "").encode(), seconds, now)
        except (InvalidToken, UnicodeError):
            return None
        content: dict[str, Any] = json.loads(opened)
        return content


def _id(csrf: str) -> str:
    """The name under which a session is remembered; its form token cannot be derived from it."""
    return hashlib.sha256(csrf.encode()).hexdigest()


def _box(secret: str, purpose: bytes) -> Fernet:
    key = HKDF(SHA256(), 32, salt=None, info=purpose).derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(key))


def set_cookie(name: str, value: str, seconds: int) -> str:
    """A `Set-Cookie` header; an empty value removes the cookie."""
    return f"{name}={value}; Max-Age={seconds if value else 0}; {FLAGS}"
