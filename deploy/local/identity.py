"""An OpenID Connect issuer for development: discovery, keys, client credentials, tokens for people,
token exchange, and ID tokens that say when the person signed in.

It gives a token with any role to anybody with the operator's secret, so it refuses to start
anywhere except in a local or test stack. Production uses the county's own provider, found in the
same way.
"""

import base64
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

from deploy.local.sign_in import (
    SESSION_SECONDS,
    Asked,
    InvalidRequestError,
    SignedIn,
    SignIns,
    base64url,
    may_return_to,
)
from direct311.runtime.access.roles import DEPARTMENT_SYSTEM, ROLES
from direct311.runtime.access.services import is_reserved

LIFETIME = 3600
"""The longest lifetime of a token, in seconds."""
EXCHANGED_LIFETIME = 60
"""The lifetime, in seconds, of a token that a service got for a person."""
ID_TOKEN_LIFETIME = 300
SESSION = "direct311-dev-session"
"""The cookie of somebody who stays signed in."""
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
    """A client of the issuer. `audience`: the audience of tokens for this service. `redirects`: the
    URLs to which people may be sent back with a code. `exchanges`: the audiences for which it may
    exchange people's tokens. `department`: whose own system it is, and `resources`: the audiences
    for which that gets tokens. `public`: a program on a person's machine, which has no secret, is
    no service and only signs people in."""

    service: str = ""
    secret: str = ""
    audience: str = ""
    redirects: Sequence[str] = ()
    exchanges: Sequence[str] = ()
    department: str = ""
    resources: Sequence[str] = ()
    public: bool = False


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
                "x": base64url(private.public_key().public_bytes_raw()),
                "d": base64url(seed),
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
            "prompt_values_supported": ["login", "none"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
            "token_endpoint_auth_methods_supported": [
                "client_secret_post",
                "client_secret_basic",
                "none",
            ],
        }

    def keys(self) -> Mapping[str, Any]:
        return KeySet([self._key]).as_dict(private=False)

    def service_token(self, client_id: str, audience: str) -> str:
        # RFC 9068, section 2.2: if nobody is signed in, the subject is the client.
        claims = {"sub": client_id, "client_id": client_id, "roles": ["service"], "aud": audience}
        return self._token(claims, LIFETIME)

    def department_token(self, client_id: str, department: str, audience: str) -> str:
        """A token for a department's own system."""
        return self._token(
            {
                "sub": client_id,
                "client_id": client_id,
                "roles": [DEPARTMENT_SYSTEM],
                "department": department,
                "aud": audience,
            },
            LIFETIME,
        )

    def person_token(self, wanted: object, audience: str, client_id: str | None = None) -> str:
        """A token for `{"sub", "roles", "department", "expires_in"}`, the last two optional, made
        for `audience`. `client_id`: the client through which the person signed in.

        Raises InvalidPersonError for an unknown role, or a department that does not belong there.
        """
        claims = person_claims(wanted)
        lifetime = wanted.get("expires_in", LIFETIME) if isinstance(wanted, dict) else LIFETIME
        if not isinstance(lifetime, int) or not 0 < lifetime <= LIFETIME:
            raise InvalidPersonError(f"expires_in must be from 1 to {LIFETIME} seconds")
        if client_id:
            claims["client_id"] = client_id
        return self._token({**claims, "aud": audience}, lifetime)

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

    def id_token(self, client_id: str, nonce: str | None, signed_in: SignedIn) -> str:
        """Who signed in, and when (OpenID Connect Core 1.0, section 2). It opens nothing: services
        take only access tokens."""
        claims = {
            **person_claims(signed_in.person),
            "aud": client_id,
            "auth_time": int(signed_in.at),
        }
        if nonce is not None:
            claims["nonce"] = nonce
        return self._token(claims, ID_TOKEN_LIFETIME, "JWT")

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


def person_claims(wanted: object) -> dict[str, Any]:
    """The claims about a person, the same in every token: subject, roles and department.

    Raises InvalidPersonError for an unknown role, or a department that does not belong there.
    """
    if not isinstance(wanted, Mapping):
        raise InvalidPersonError("send an object")
    sub, roles, department = wanted.get("sub"), wanted.get("roles"), wanted.get("department")
    if not isinstance(sub, str) or not sub or is_reserved(sub):
        raise InvalidPersonError("sub must name a person")
    if not isinstance(roles, list) or not roles or not {*ROLES.people}.issuperset(map(str, roles)):
        raise InvalidPersonError(f"roles must be some of {', '.join(sorted(ROLES.people))}")
    if department is not None and not isinstance(department, str):
        raise InvalidPersonError("department must be a code")
    if "department" in roles and not department:
        raise InvalidPersonError("the role department needs a department")
    return {"sub": sub, "roles": roles, **({"department": department} if department else {})}


def create_app(
    issuer: Issuer, clients: Mapping[str, Client], operator: str, sign_ins: SignIns | None = None
) -> Starlette:
    """The issuer over HTTP. Errors follow RFC 6749, section 5.2.

    A token is made for one audience, which belongs to a client: `resource` (RFC 8707) of client
    credentials and sign-ins, `audience` of an exchange.
    """
    audiences = frozenset(client.audience for client in clients.values() if client.audience)
    signing_in = sign_ins or SignIns()

    async def discovery(_: Request) -> Response:
        return JSONResponse(issuer.discovery())

    async def keys(_: Request) -> Response:
        return JSONResponse(issuer.keys())

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def authorize(request: Request) -> Response:
        """Asks who the person is, unless they are signed in and that is enough. Anybody with the
        operator's secret may be anyone."""
        given = dict(request.query_params)
        client = clients.get(given.get("client_id", ""))
        if client is None or not may_return_to(
            given.get("redirect_uri"), client.redirects, public=client.public
        ):
            # Never redirect: the URL may be anybody's.
            return _error(400, "invalid_request", "the client or its redirect_uri is not known")
        try:
            asked = Asked.read(given, audiences, public=client.public)
        except InvalidRequestError as error:
            return _error(400, error.code, str(error))
        here = signing_in.session(request.cookies.get(SESSION))
        posted = request.method == "POST"
        if here is not None and not posted and asked.satisfied_by(here, signing_in.now()):
            return _returned(asked, code=signing_in.code(asked, here))
        if asked.prompt == "none":
            return _returned(asked, error="login_required")
        if not posted:
            return HTMLResponse(_FORM)
        form = await request.form()
        secret = str(form.get("operator_secret", ""))
        if not hmac.compare_digest(secret.encode(), operator.encode()):
            return _error(401, "access_denied", "the operator's secret is missing or wrong")
        person = {
            "sub": form.get("sub"),
            "roles": str(form.get("roles", "")).split(),
            "department": form.get("department") or None,
        }
        try:
            person_claims(person)
        except InvalidPersonError as error:
            return _error(400, "invalid_request", str(error))
        signed_in = SignedIn(person, signing_in.now())
        answer = _returned(asked, code=signing_in.code(asked, signed_in))
        if form.get("stay"):
            name = signing_in.remember(signed_in)
            answer.set_cookie(
                SESSION, name, SESSION_SECONDS, path="/authorize", httponly=True, samesite="lax"
            )
        return answer

    def signed_in(client_id: str, form: FormData) -> Response:
        found = signing_in.redeem(str(form.get("code")), client_id, form)
        if found is None:
            return _error(400, "invalid_grant", "the code is not good, or not for this")
        asked = found.asked
        # Without a resource the access token is good for nothing but the issuer itself.
        audience = asked.resource or issuer.url
        granted = issuer.person_token(found.signed_in.person, audience, client_id)
        id_token = issuer.id_token(client_id, asked.nonce, found.signed_in)
        return _granted(granted, LIFETIME, id_token=id_token)

    def for_itself(client_id: str, form: FormData) -> Response:
        asked = form.getlist("resource")
        client = clients[client_id]
        if len(asked) != 1 or asked[0] not in (
            client.resources if client.department else audiences
        ):
            return _error(400, "invalid_target", "resource must be one service's audience")
        if client.department:
            token = issuer.department_token(client_id, client.department, str(asked[0]))
            return _granted(token, LIFETIME)
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
        client_id, given = basic or (str(form.get("client_id")), str(form.get("client_secret", "")))
        client = clients.get(client_id)
        if client is not None and client.public:
            if given:
                return _error(401, "invalid_client", "this client has no secret")
            if grant is not signed_in:
                return _error(400, "unauthorized_client", "this client only signs people in")
            return signed_in(client_id, form)
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
<label><input name="stay" type="checkbox" value="1"> Stay signed in</label>
<button>Sign in</button></form></html>"""


def _returned(asked: Asked, **answer: str) -> Response:
    """Back to the client, with a code or an error."""
    query = urlencode({**answer, "state": asked.state})
    return RedirectResponse(f"{asked.redirect}?{query}", 303)


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
