"""How people sign in at the development issuer: the authorization code flow, and who is signed in.

OpenID Connect Core 1.0, section 3.1; PKCE with S256 (RFC 7636); public clients with a redirect to
the person's own machine (RFC 8252, section 7.3). A person stays signed in only if the form says so,
so that `max_age` and `prompt` have something to decide about.
"""

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

CODE_SECONDS = 60
SESSION_SECONDS = 8 * 3600
LOOPBACK = ("127.0.0.1", "[::1]")
"""`localhost` is none of them: it may lead elsewhere (RFC 8252, section 8.3)."""

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_MAX_AGE = re.compile(r"[0-9]{1,9}")


class InvalidRequestError(ValueError):
    """The request to sign in is invalid; the message says why, and `code` is OAuth's word."""

    def __init__(self, description: str, code: str = "invalid_request") -> None:
        super().__init__(description)
        self.code = code


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person, as the form described them, and when they signed in (Unix time)."""

    person: Mapping[str, Any]
    at: float


@dataclass(frozen=True, slots=True)
class Asked:
    """A valid request to sign in. `resource`: the audience of the access token, if one was named.
    `max_age`: how long ago, in seconds, the person may have signed in."""

    client_id: str
    redirect: str
    resource: str | None
    challenge: str
    nonce: str | None
    state: str
    prompt: Literal["login", "none"] | None
    max_age: int | None

    @classmethod
    def read(cls, given: Mapping[str, str], audiences: frozenset[str], *, public: bool) -> "Asked":
        """:raises InvalidRequestError: something is missing or not supported."""
        if given.get("response_type") != "code" or given.get("code_challenge_method") != "S256":
            raise InvalidRequestError("only code with S256 is supported here")
        if not _CHALLENGE.fullmatch(given.get("code_challenge", "")):
            raise InvalidRequestError("code_challenge must be a SHA-256 in base64url")
        resource = given.get("resource")
        if resource not in audiences and not (public and resource is None):
            raise InvalidRequestError("resource must be a service's audience", "invalid_target")
        prompt, max_age = given.get("prompt"), given.get("max_age")
        if prompt not in (None, "login", "none"):
            raise InvalidRequestError("only the prompts login and none are supported here")
        if max_age is not None and not _MAX_AGE.fullmatch(max_age):
            raise InvalidRequestError("max_age must be a number of seconds")
        return cls(
            given["client_id"],
            given["redirect_uri"],
            resource,
            given["code_challenge"],
            given.get("nonce") or None,
            given.get("state", ""),
            "login" if prompt == "login" else "none" if prompt == "none" else None,
            None if max_age is None else int(max_age),
        )

    def satisfied_by(self, signed_in: SignedIn, now: float) -> bool:
        """Whether somebody who is signed in already need not sign in again."""
        return self.prompt != "login" and (
            self.max_age is None or now - signed_in.at < self.max_age
        )


@dataclass(frozen=True, slots=True)
class _Code:
    asked: Asked
    signed_in: SignedIn
    until: float


class SignIns:
    """The codes that were given out, and the people who are signed in; in memory."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self._codes: dict[str, _Code] = {}
        self._sessions: dict[str, SignedIn] = {}

    def remember(self, signed_in: SignedIn) -> str:
        """Keep the person signed in; returns the session's name, which the browser keeps."""
        name = secrets.token_urlsafe(32)
        self._sessions[name] = signed_in
        return name

    def session(self, name: str | None) -> SignedIn | None:
        """The person who is signed in under this name."""
        found = self._sessions.get(name or "")
        return found if found and self.now() - found.at < SESSION_SECONDS else None

    def code(self, asked: Asked, signed_in: SignedIn) -> str:
        """A code for this sign-in, good once and for a minute (RFC 6749, section 4.1.2)."""
        code = secrets.token_urlsafe(32)
        self._codes[code] = _Code(asked, signed_in, self.now() + CODE_SECONDS)
        return code

    def redeem(self, code: str, client_id: str, given: Mapping[str, Any]) -> _Code | None:
        """What the code stands for, once; `None` if it is not good, or not for this client,
        redirect and verifier."""
        found = self._codes.pop(code, None)
        if found is None:
            return None
        asked = found.asked
        digest = base64url(hashlib.sha256(str(given.get("code_verifier", "")).encode()).digest())
        good = (
            self.now() <= found.until
            and (asked.client_id, asked.redirect) == (client_id, given.get("redirect_uri"))
            and given.get("resource", asked.resource) == asked.resource
            and hmac.compare_digest(digest, asked.challenge)
        )
        return found if good else None


def may_return_to(uri: str | None, redirects: Sequence[str], *, public: bool) -> bool:
    """Whether people may be sent to this address with a code. A public client's address on the
    person's own machine may have any port (RFC 8252, section 7.3)."""
    if uri is None or not public:
        return uri in redirects
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return False
    return any(
        uri == f"http://{host}:{port}{parts.path}" and f"http://{host}{parts.path}" in redirects
        for host in LOOPBACK
    )


def base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
