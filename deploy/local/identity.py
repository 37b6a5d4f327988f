"""An OpenID Connect issuer for development: discovery, keys, client credentials, tokens for people,
token exchange.

It gives a token with any role to anybody with the operator's secret, so it refuses to start
anywhere except in a local or test stack. Production uses the county's own provider, found in the
same way.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey
from starlette.applications import Starlette
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from direct311.runtime.access.roles import ROLES
from direct311.runtime.access.services import is_reserved

LIFETIME = 3600
"""The longest lifetime of a token, in seconds."""
EXCHANGED_LIFETIME = 60
"""The lifetime, in seconds, of a token that a service got for a person."""
CREDENTIALS = "client_credentials"
CODE = "authorization_code"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105
ALGORITHM = "Ed25519"
"""EdDSA over Curve25519, by its name in RFC 9864."""


class NotDevelopmentError(Exception):
    """The issuer was started where real people's data may be."""


class InvalidGrantError(Exception):
    """A token cannot be exchanged; `code` follows RFC 8693, section 2.2.2."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code


class InvalidPersonError(ValueError):
    """The description of the person for whom a token was requested is invalid; the message says
    why."""


@dataclass(frozen=True, slots=True)
class Client:
    service: str
    secret: str
    audience: str
    """The audience of tokens for this service."""
    redirects: Sequence[str] = ()
    """The URLs to which people may be sent back with a code."""
    exchanges: Sequence[str] = ()
    """The audiences for which it may exchange people's tokens."""


@dataclass(frozen=True, slots=True)
class Code:
    """A code for signing in once, within a minute (RFC 6749, section 4.1)."""

    client_id: str
    redirect: str
    audience: str
    challenge: str
    nonce: str
    person: Mapping[str, Any]
    until: float


class Issuer:
    """Signs access tokens. `url` is the issuer's identifier and its address."""

    def __init__(self, url: str, keyid: str, seed: bytes) -> None:
        self.url = url
        private = Ed25519PrivateKey.from_private_bytes(seed)
        self._key = OKPKey.import_key(
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "kid": keyid,
                "use": "sig",
                "alg": ALGORITHM,
                "x": _base64url(private.public_key().public_bytes_raw()),
                "d": _base64url(seed),
            }
        )

    def discovery(self) -> dict[str, Any]:
        """OpenID Connect Discovery 1.0, section 3."""
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "grant_types_supported": [CREDENTIALS, CODE, EXCHANGE],
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        }

    def keys(self) -> Mapping[str, Any]:
        return KeySet([self._key]).as_dict(private=False)

    def service_token(self, client_id: str, audience: str) -> str:
        # RFC 9068, section 2.2: if nobody is signed in, the subject is the client.
        claims = {"sub": client_id, "client_id": client_id, "roles": ["service"], "aud": audience}
        return self._token(claims, LIFETIME)

    def person_token(self, wanted: object, audience: str, client_id: str | None = None) -> str:
        """A token for `{"sub", "roles", "department", "expires_in"}`, the last two optional, made
        for `audience`. `client_id`: the client through which the person signed in.

        Raises InvalidPersonError for an unknown role, or a department that does not belong there.
        """
        if not isinstance(wanted, dict):
            raise InvalidPersonError("send an object")
        sub, roles = wanted.get("sub"), wanted.get("roles")
        department, lifetime = wanted.get("department"), wanted.get("expires_in", LIFETIME)
        if not isinstance(sub, str) or not sub or is_reserved(sub):
            raise InvalidPersonError("sub must name a person")
        if (
            not isinstance(roles, list)
            or not roles
            or not set(ROLES.people).issuperset(map(str, roles))
        ):
            raise InvalidPersonError(f"roles must be some of {', '.join(sorted(ROLES.people))}")
        if department is not None and not isinstance(department, str):
            raise InvalidPersonError("department must be a code")
        if "department" in roles and not department:
            raise InvalidPersonError("the role department needs a department")
        if not isinstance(lifetime, int) or not 0 < lifetime <= LIFETIME:
            raise InvalidPersonError(f"expires_in must be from 1 to {LIFETIME} seconds")
        claims: dict[str, Any] = {"sub": sub, "roles": roles, "aud": audience}
        if department:
            claims["department"] = department
        if client_id:
            claims["client_id"] = client_id
        return self._token(claims, lifetime)

    def exchanged_token(
        self, client_id: str, client: Client, subject_token: str, audience: str
    ) -> tuple[str, int]:
        """A new token for `audience`, made from a person's token that `client` got, and its
        lifetime in seconds. It names the client it was given to (`act`, RFC 8693 section 4.1) and
        the original token (`origin_jti`). Raises InvalidGrantError if the client may not have it.
        """
        if audience not in client.exchanges:
            raise InvalidGrantError("invalid_target", "not for this client and audience")
        claims = self._access_token(subject_token)
        now = int(time.time())
        if (
            claims is None
            or claims["aud"] != client.audience
            or claims["exp"] <= now
            # An exchanged token is only for its call, and a service is not a person.
            or "act" in claims
            or "service" in claims["roles"]
        ):
            raise InvalidGrantError("invalid_request", "the subject token is not good for this")
        carried = {name: claims[name] for name in ("sub", "roles", "department") if name in claims}
        lifetime = min(EXCHANGED_LIFETIME, claims["exp"] - now)
        act = {"client_id": client_id, "sub": client_id}
        more = {"client_id": client_id, "act": act, "origin_jti": claims["jti"]}
        return self._token({**carried, **more, "aud": audience}, lifetime), lifetime

    def is_of(self, client_id: str, token: str) -> bool:
        """Whether this client got the token for itself."""
        claims = self._access_token(token)
        return (
            claims is not None
            and claims["exp"] > time.time()
            and (claims["sub"], claims.get("client_id")) == (client_id, client_id)
        )

    def id_token(self, client_id: str, nonce: str, sub: str) -> str:
        return self._token({"sub": sub, "aud": client_id, "nonce": nonce}, 300, "JWT")

    def _access_token(self, token: str) -> Mapping[str, Any] | None:
        """The claims of an access token from this issuer; `None` for anything else."""
        try:
            decoded = jwt.decode(token, self._key, algorithms=[ALGORITHM])
            return decoded.claims if decoded.header.get("typ") == "at+jwt" else None
        except (JoseError, ValueError, TypeError, AttributeError, KeyError):
            return None

    def _token(self, claims: Mapping[str, Any], lifetime: int, kind: str = "at+jwt") -> str:
        now = int(time.time())
        complete = {
            "iss": self.url,
            "jti": str(uuid.uuid4()),
            "iat": now,
            "exp": now + lifetime,
            **claims,
        }
        header = {"alg": ALGORITHM, "kid": self._key.kid, "typ": kind}
        return jwt.encode(header, complete, self._key, algorithms=[ALGORITHM])


def create_app(issuer: Issuer, clients: Mapping[str, Client], operator: str) -> Starlette:
    """The issuer over HTTP. Errors follow RFC 6749, section 5.2.

    A token is made for one audience, which belongs to a client: `resource` (RFC 8707) of client
    credentials and sign-ins, `audience` of an exchange.
    """
    audiences = {client.audience for client in clients.values()}

    async def discovery(_: Request) -> Response:
        return JSONResponse(issuer.discovery())

    async def keys(_: Request) -> Response:
        return JSONResponse(issuer.keys())

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    codes: dict[str, Code] = {}

    async def authorize(request: Request) -> Response:
        """Asks who the person is; anybody with the operator's secret may be anyone."""
        asked = dict(request.query_params)
        client = clients.get(asked.get("client_id", ""))
        if client is None or asked.get("redirect_uri") not in client.redirects:
            # Never redirect: the URL may be anybody's.
            return _error(400, "invalid_request", "the client or its redirect_uri is not known")
        if asked.get("response_type") != "code" or asked.get("code_challenge_method") != "S256":
            return _error(400, "invalid_request", "only code with S256 is supported here")
        if asked.get("resource") not in audiences:
            return _error(400, "invalid_target", "resource must be a service's audience")
        if request.method == "GET":
            return HTMLResponse(_FORM)
        form = await request.form()
        given = str(form.get("operator_secret", ""))
        if not hmac.compare_digest(given.encode(), operator.encode()):
            return _error(401, "access_denied", "the operator's secret is missing or wrong")
        person = {"sub": form.get("sub"), "roles": str(form.get("roles", "")).split()}
        if form.get("department"):
            person["department"] = form.get("department")
        try:
            issuer.person_token(person, asked["resource"])
        except InvalidPersonError as error:
            return _error(400, "invalid_request", str(error))
        code = uuid.uuid4().hex
        codes[code] = Code(
            asked["client_id"],
            asked["redirect_uri"],
            asked["resource"],
            asked.get("code_challenge", ""),
            asked.get("nonce", ""),
            person,
            time.time() + 60,
        )
        query = urlencode({"code": code, "state": asked.get("state", "")})
        return RedirectResponse(f"{asked['redirect_uri']}?{query}", 303)

    def signed_in(client_id: str, form: FormData) -> Response:
        code = codes.pop(str(form.get("code")), None)
        verifier = str(form.get("code_verifier", ""))
        digest = _base64url(hashlib.sha256(verifier.encode()).digest())
        if (
            code is None
            or time.time() > code.until
            or (code.client_id, code.redirect) != (client_id, form.get("redirect_uri"))
            or form.get("resource", code.audience) != code.audience
            or not hmac.compare_digest(digest, code.challenge)
        ):
            return _error(400, "invalid_grant", "the code is not good, or not for this")
        granted = issuer.person_token(code.person, code.audience, client_id)
        id_token = issuer.id_token(client_id, code.nonce, code.person["sub"])
        return _granted(granted, LIFETIME, id_token=id_token)

    def for_itself(client_id: str, form: FormData) -> Response:
        asked = form.getlist("resource")
        if len(asked) != 1 or asked[0] not in audiences:
            return _error(400, "invalid_target", "resource must be one service's audience")
        return _granted(issuer.service_token(client_id, str(asked[0])), LIFETIME)

    def exchanged(client_id: str, form: FormData) -> Response:
        """RFC 8693, section 2: one access token for another, of one person for one audience."""
        named = form.getlist("audience")
        if len(named) != 1 or "resource" in form:
            return _error(400, "invalid_target", "audience must be one service's")
        if form.get("subject_token_type") != ACCESS_TOKEN or (
            form.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN
        ):
            return _error(400, "invalid_request", "only access tokens are exchanged here")
        if "actor_token" in form and not issuer.is_of(client_id, str(form["actor_token"])):
            return _error(400, "invalid_request", "the actor is the client that asks")
        try:
            token, lifetime = issuer.exchanged_token(
                client_id, clients[client_id], str(form.get("subject_token")), str(named[0])
            )
        except InvalidGrantError as error:
            return _error(400, error.code, str(error))
        return _granted(token, lifetime, issued_token_type=ACCESS_TOKEN)

    grants = {CREDENTIALS: for_itself, CODE: signed_in, EXCHANGE: exchanged}

    async def token(request: Request) -> Response:
        form = await request.form()
        grant = grants.get(str(form.get("grant_type")))
        if grant is None:
            return _error(400, "unsupported_grant_type", "this grant is not supported here")
        basic = _basic(request.headers.get("authorization", ""))
        client_id, given = basic or (str(form.get("client_id")), str(form.get("client_secret")))
        client = clients.get(client_id)
        if client is None or not hmac.compare_digest(given.encode(), client.secret.encode()):
            return _error(401, "invalid_client", "the client is not known, or its secret is wrong")
        return grant(client_id, form)

    async def person(request: Request) -> Response:
        given = request.headers.get("x-operator-secret", "")
        if not hmac.compare_digest(given.encode(), operator.encode()):
            return _error(401, "invalid_client", "the operator's secret is missing or wrong")
        try:
            wanted = json.loads(await request.body())
            asked = wanted if isinstance(wanted, dict) else {}
            audience = asked.get("audience")
            if not isinstance(audience, str) or audience not in audiences:
                return _error(400, "invalid_target", "audience must be a service's")
            token = issuer.person_token(wanted, audience)
            return _granted(token, asked.get("expires_in", LIFETIME))
        except InvalidPersonError as error:
            return _error(400, "invalid_request", str(error))
        except ValueError:
            return _error(400, "invalid_request", "the body is not JSON")

    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", discovery),
            Route("/jwks", keys),
            Route("/authorize", authorize, methods=["GET", "POST"]),
            Route("/token", token, methods=["POST"]),
            Route("/dev/token", person, methods=["POST"]),
            Route("/health/live", health),
            Route("/health/ready", health),
        ]
    )


_FORM = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Development sign-in</title>
<form method="post"><label>Who <input name="sub"></label><label>Roles <input name="roles"></label>
<label>Department <input name="department"></label>
<label>Operator's secret <input name="operator_secret" type="password"></label>
<button>Sign in</button></form></html>"""


def _granted(token: str, lifetime: int, **more: str) -> Response:
    body = {"access_token": token, "token_type": "Bearer", "expires_in": lifetime, **more}
    return JSONResponse(body, headers={"cache-control": "no-store"})


def _error(status: int, code: str, description: str) -> Response:
    headers = {"www-authenticate": "Basic"} if status == 401 else {}
    return JSONResponse({"error": code, "error_description": description}, status, headers)


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return None
    return user, password


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def from_environment(environ: Mapping[str, str]) -> Starlette:
    """Raises NotDevelopmentError unless DIRECT311_ENVIRONMENT is `local` or `test`."""
    if environ.get("DIRECT311_ENVIRONMENT") not in ("local", "test"):
        raise NotDevelopmentError(
            "the development issuer starts only where DIRECT311_ENVIRONMENT is local or test"
        )
    key = json.loads(Path(environ["IDENTITY_KEY_FILE"]).read_text())
    issuer = Issuer(environ["IDENTITY_ISSUER_URL"], key["keyid"], base64.b64decode(key["private"]))
    entries = json.loads(Path(environ["IDENTITY_CLIENTS_FILE"]).read_text())
    clients = {client_id: Client(**entry) for client_id, entry in entries.items()}
    return create_app(issuer, clients, environ["IDENTITY_OPERATOR_SECRET"])


def main() -> int:
    try:
        app = from_environment(os.environ)
    except NotDevelopmentError as error:
        print(error, file=sys.stderr)
        return 1
    port = int(os.environ["IDENTITY_PORT"])
    uvicorn.run(app, host=os.environ["IDENTITY_HOST"], port=port, log_level="warning")
    return 0


if __name__ == "__main__":
    sys.exit(main())
