"""Who is calling: checks OpenID Connect access tokens and signed links offline. Also the tokens
that a service shows when it calls another service: its own, and a person's.

A token is made for one service (its audience), and is valid only there. When a service calls
another one for a person, it exchanges the person's token (RFC 8693) for one that is made for the
other service, names the service that brings it (`act`), and lives for a minute.
"""

import asyncio
import hashlib
import math
import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet

from direct311.runtime.access.links import MALFORMED, LinkError, Links, is_link
from direct311.runtime.access.roles import DEPARTMENT_SYSTEM, SERVICE
from direct311.runtime.access.rules import Caller
from direct311.runtime.access.services import Service, Services, is_department
from direct311.runtime.access.sign_ins import SignIns
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.peers import HttpClient, HttpError
from direct311.runtime.persons import LONGEST_IDENTIFIER, is_identifier

ALGORITHMS = ["EdDSA", "Ed25519", "ES256", "RS256"]
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105
EXCHANGED_SECONDS = 60
"""The longest that an exchanged token may live."""

MOST_ROLES = 100
"""The most roles of one token; the log can hold them all."""

_ROLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}")
_TYPES = frozenset({"at+jwt", "application/at+jwt"})
"""The `typ` of access tokens, which no ID token has (RFC 9068, section 4; RFC 8725, section
3.11)."""


class UnauthenticatedError(RefusedError):
    """There is no valid token. The answer gives no details about what was wrong with it."""

    def __init__(self, detail: str) -> None:
        super().__init__("unauthenticated", detail)


class Issuer:
    """An OpenID Connect provider, found by discovery (OpenID Connect Discovery 1.0, section 4)."""

    KEYS_FOR_SECONDS = 300.0
    ASK_AGAIN_SECONDS = 10.0
    """How long to wait before asking again a provider that did not answer, if its keys are
    known."""

    def __init__(self, url: str, http: HttpClient) -> None:
        self._url = url.rstrip("/")
        self._http = http
        self._document: Mapping[str, Any] | None = None
        self._keys: KeySet | None = None
        self._read_at = 0.0
        self._failed_at = -math.inf
        self._lock = asyncio.Lock()

    async def document(self) -> Mapping[str, Any]:
        """The discovery document.

        :raises TransientError: the provider does not answer with one.
        """
        if self._document is None:
            found = await self._read(f"{self._url}/.well-known/openid-configuration")
            named = found if isinstance(found, dict) else {}
            addresses = [str(named.get(name)) for name in ("jwks_uri", "token_endpoint")]
            if not all(each.startswith(("https://", "http://")) for each in addresses):
                raise TransientError("the identity provider names no keys or token endpoint")
            self._document = found
        return self._document

    async def keys(self, *, newer_than: float = 0.0) -> KeySet:
        """The provider's keys. They are read again when older than five minutes or than
        `newer_than`; if the provider does not answer, the known keys.

        :raises TransientError: it never answered.
        """
        if self._keys is not None and self._lock.locked() and not newer_than:
            return self._keys
        async with self._lock:
            now = time.monotonic()
            old = now - self._read_at > self.KEYS_FOR_SECONDS or self._read_at < newer_than
            patience = self.ASK_AGAIN_SECONDS if self._keys is not None else 1.0
            if self._keys is None or old:
                if now - self._failed_at < patience:
                    return self._known()
                try:
                    document = await self.document()
                    asked_at = time.monotonic()
                    self._keys = _key_set(await self._read(document["jwks_uri"]))
                    self._read_at = asked_at
                except TransientError:
                    self._failed_at = time.monotonic()
            return self._known()

    async def keys_after(self, instant: float) -> KeySet:
        """The keys that the provider published after this instant (`time.monotonic`). For callers
        that nobody outside can make ask often.

        :raises TransientError: it has not answered since.
        """
        found = await self.keys(newer_than=instant)
        if self._read_at < instant:
            raise TransientError("the identity provider has not answered since")
        return found

    def _known(self) -> KeySet:
        if self._keys is None:
            raise TransientError("the identity provider has not answered yet")
        return self._keys

    async def _read(self, url: str) -> Any:
        try:
            return await self._http.get_json(url)
        except HttpError:
            raise TransientError("the identity provider does not answer") from None


def _key_set(document: Any) -> KeySet:
    try:
        return KeySet.import_key_set(document)
    except MALFORMED:
        raise TransientError("the identity provider's keys cannot be read") from None


@dataclass(frozen=True, slots=True)
class _Token:
    """A valid token: the person it stands for and, if it was exchanged, the client that brought
    it."""

    caller: Caller
    service: Service | None = None
    actor: Service | None = None


class Authenticator:
    """Turns a bearer token into a `Caller`: a person's or service's of the issuer, or a link.

    A token from the issuer must meet these conditions:

    - an access token (`typ` is `at+jwt`), made for this service and for no other of ours;
    - its identifiers (`sub`, `jti`, `client_id`, roles, department) are clean and bounded as they
      are: the log stores them unchanged, and a search must find them;
    - a service is a caller with the client id (`client_id`, or `azp`) and the subject that the
      principals file gives that service; it is only a service, whatever roles the token names;
    - a department's system is a caller with the client id and the subject that the principals file
      gives it; its token names that department, and it is only that system, whatever its roles;
    - nobody else has the role `service` or `department_system`, or a `sub` that names one of these;
    - an exchanged token (`act`) is valid only in `X-On-Behalf-Of`, together with its actor's token.
    """

    def __init__(
        self,
        issuer: Issuer,
        issuer_url: str,
        services: Services,
        sign_ins: SignIns | None = None,
        links: Links | None = None,
    ) -> None:
        self._issuer = issuer
        self._services = services
        self._issuer_url = issuer_url
        self._links = links
        self._sign_ins = sign_ins
        self._claims = jwt.JWTClaimsRegistry(
            leeway=30,
            iss={"essential": True, "value": issuer_url},
            aud={"essential": True, "value": services.own.audience},
            exp={"essential": True},
            sub={"essential": True},
            jti={"essential": True},
        )

    async def caller(
        self,
        authorization: str | None,
        on_behalf_of: str | None = None,
        host: str | None = None,
    ) -> Caller:
        """The caller of a request with these headers, which came from the network address `host`.

        A service may bring its user's token, exchanged for this call (`X-On-Behalf-Of`): the caller
        is then that person, `via` the service. The first use of a token, and each failure, is
        recorded.

        :raises UnauthenticatedError: there is no token, or it is not valid here.
        """
        if self._sign_ins is None:
            return await self._caller(authorization, on_behalf_of)
        source = self._sign_ins.sources.name(host)
        try:
            caller = await self._caller(authorization, on_behalf_of)
        except UnauthenticatedError:
            self._sign_ins.failed(source)
            raise
        # The address of a service's call is not the person's, and residents' addresses are not
        # stored.
        if caller.via is None:
            told = None if caller.authentication == "signed_link" else source
            caller = replace(caller, address=told, source=source)
        self._sign_ins.came(caller)
        return caller

    async def _caller(self, authorization: str | None, on_behalf_of: str | None) -> Caller:
        found = await self._one(_bearer(authorization))
        if found.actor is not None:
            raise _invalid()
        if on_behalf_of is None:
            return found.caller
        service = found.service
        if service is None:
            raise UnauthenticatedError("Only a service may act on behalf of a person.")
        person = await self._one(_bearer(on_behalf_of))
        if person.actor is not service or self._services.own.name not in service.for_people:
            raise _invalid()
        return person.caller.behind(service.actor)

    async def _one(self, token: str) -> _Token:
        if self._links is not None and is_link(token):
            try:
                return _Token(self._links.caller(token))
            except LinkError:
                raise _invalid() from None
        claims = await self._decode(token)
        _legible(claims)
        service = self._service(claims)
        if service is not None:
            return _Token(
                Caller(
                    sub=service.actor,
                    roles=("service",),
                    token_id=_token_id(claims),
                    issuer=self._issuer_url,
                    authentication="service",
                ),
                service,
            )
        system = self._system(claims)
        if system is not None:
            return _Token(system)
        roles, department = claims.get("roles", []), claims.get("department")
        if not _are_roles(roles):
            raise UnauthenticatedError(
                f"The token's roles must be a list of at most {MOST_ROLES} short codes."
            )
        if department is not None and not is_department(department):
            raise UnauthenticatedError("The token's department must be a code.")
        if SERVICE in roles:
            raise UnauthenticatedError("Only the platform's services may have the role service.")
        if DEPARTMENT_SYSTEM in roles:
            raise UnauthenticatedError(
                "Only a department's system may have the role department_system."
            )
        return _Token(
            Caller(
                sub=claims["sub"],
                roles=tuple(roles),
                department=department,
                token_id=_token_id(claims),
                issuer=self._issuer_url,
            ),
            actor=self._actor(claims),
        )

    def _service(self, claims: Mapping[str, Any]) -> Service | None:
        """The service that the token belongs to; `None` for a person's token.

        :raises UnauthenticatedError: it is neither.
        """
        sub = claims["sub"]
        known = self._services.of_client(_client(claims))
        if known is not None and sub == known.subject and "act" not in claims:
            return known
        if self._services.system_of(_client(claims)) is not None:
            return None
        if self._services.reserves(sub) or sub == _client(claims):
            raise _invalid()
        return None

    def _system(self, claims: Mapping[str, Any]) -> Caller | None:
        """The department's system that the token belongs to; `None` if its client is no such
        system's.

        :raises UnauthenticatedError: it is not the client's own token, or names another department.
        """
        system = self._services.system_of(_client(claims))
        if system is None:
            return None
        own = claims["sub"] == system.subject and "act" not in claims
        if not own or claims.get("department") != system.department:
            # The provider and our list must agree about whose system it is.
            raise _invalid()
        return Caller(
            sub=system.subject,
            roles=(DEPARTMENT_SYSTEM,),
            department=system.department,
            token_id=_token_id(claims),
            issuer=self._issuer_url,
        )

    def _actor(self, claims: Mapping[str, Any]) -> Service | None:
        """The service that a person's token was exchanged for; `None` for the person's own.

        :raises UnauthenticatedError: `act` names no service, or the token lives longer than a
        minute.
        """
        if "act" not in claims:
            client = self._services.of_client(_client(claims))
            if client is not None and client is not self._services.own:
                # The token was given to another service, which is not the one that brings it.
                raise _invalid()
            return None
        act = claims["act"]
        actor = self._services.of_actor(act) if isinstance(act, dict) else None
        begun, ends = claims.get("iat"), claims["exp"]
        if (
            actor is None
            or "act" in act
            or _client(claims) not in (None, actor.client_id)
            or not isinstance(begun, int | float)
            or not 0 <= ends - begun <= EXCHANGED_SECONDS
        ):
            raise _invalid()
        return actor

    async def _decode(self, token: str) -> Mapping[str, Any]:
        claims = _signed(token, await self._issuer.keys())
        if claims is None:
            # The key may be new: read the keys again, at most every ten seconds.
            claims = _signed(token, await self._issuer.keys(newer_than=time.monotonic() - 10))
        if claims is None:
            raise _invalid()
        try:
            self._claims.validate(claims)
        except MALFORMED:
            raise _invalid() from None
        audience = claims["aud"]
        named = audience if isinstance(audience, list) else [audience]
        others = self._services.audiences - {self._services.own.audience}
        if not all(isinstance(each, str) and each not in others for each in named):
            # If it were made for two services, either one could use it at the other.
            raise _invalid()
        return claims


def _signed(token: str, keys: KeySet) -> dict[str, Any] | None:
    """The claims of an access token; `None` if none of the keys signed it, or if it is not an
    access token."""
    try:
        decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
        kind = str(decoded.header.get("typ")).lower()
    except MALFORMED:
        return None
    return decoded.claims if kind in _TYPES else None


def _client(claims: Mapping[str, Any]) -> object:
    """The client that requested a token (RFC 9068, section 2.2), or OpenID Connect's claim for it.

    :raises UnauthenticatedError: the token names two clients.
    """
    given = [claims[name] for name in ("client_id", "azp") if claims.get(name) is not None]
    if any(each != given[0] for each in given):
        raise _invalid()
    return given[0] if given else None


def _token_id(claims: Mapping[str, Any]) -> str:
    """The id of a person's token; for an exchanged token, the original token's id, so that a
    session has one id at every service."""
    found = claims["jti"]
    return str(claims.get("origin_jti", found) if "act" in claims else found)


def _legible(claims: Mapping[str, Any]) -> None:
    """Check that the identifiers that the log copies from a token can be read and searched there.

    :raises UnauthenticatedError: it has no `sub` or `jti` (RFC 9068, section 2.2), or one of its
        identifiers is too long, contains invisible characters, or is not in normal form.
    """
    given = [name for name in ("client_id", "azp", "origin_jti") if claims.get(name) is not None]
    for name in ("sub", "jti", *given):
        if not is_identifier(claims.get(name)):
            raise UnauthenticatedError(
                f"The token's {name} must be 1 to {LONGEST_IDENTIFIER} characters in NFC, without "
                "spaces and invisible characters."
            )


def _are_roles(roles: object) -> bool:
    return (
        isinstance(roles, list)
        and len(roles) <= MOST_ROLES
        and all(isinstance(role, str) and _ROLE.fullmatch(role) for role in roles)
    )


def _invalid() -> UnauthenticatedError:
    return UnauthenticatedError("The token is not valid here.")


def _bearer(header: str | None) -> str:
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise UnauthenticatedError("Send a bearer token in the Authorization header.")
    return token.strip()


class Tokens:
    """The tokens that a service shows to another: its own access token (client credentials, RFC
    6749 section 4.4; made for the other service, RFC 8707), and a person's token, exchanged for the
    call (RFC 8693)."""

    MOST_KEPT = 1_000
    """How many exchanged tokens are kept in memory; the oldest are dropped."""
    MARGIN_SECONDS = 10.0
    """An exchanged token with less time left is not used again."""

    def __init__(
        self, issuer: Issuer, http: HttpClient, client_id: str, client_secret: str, to: Service
    ) -> None:
        self._issuer = issuer
        self._http = http
        self._client_id = client_id
        self._client_secret = client_secret
        self._to = to
        self._token = ""
        self._until = -math.inf
        self._exchanged: OrderedDict[bytes, tuple[str, float]] = OrderedDict()
        self._lock = asyncio.Lock()

    async def get(self) -> str:
        """A token valid for at least half a minute more or, if no new one can be had, the current
        one.

        :raises TransientError: the provider does not answer.
        """
        async with self._lock:
            if time.monotonic() > self._until - 30:
                try:
                    await self._renew()
                except TransientError:
                    if time.monotonic() > self._until:
                        raise
            return self._token

    async def exchanged(self, authorization: str) -> str:
        """A token for this call, for the person with this bearer header.

        :raises UnauthenticatedError: the provider rejects the person's token, or there is none.
        :raises TransientError: the provider does not answer, or does not allow this service to do
        it.
        """
        theirs = _bearer(authorization)
        known_by = hashlib.sha256(theirs.encode("utf-8", "surrogateescape")).digest()
        kept, until = self._exchanged.get(known_by, ("", -math.inf))
        if time.monotonic() < until - self.MARGIN_SECONDS:
            return kept
        form = {
            "grant_type": EXCHANGE,
            "subject_token": theirs,
            "subject_token_type": ACCESS_TOKEN,
            # This names the actor (section 1.1): some providers write `act` only if it is sent.
            "actor_token": await self.get(),
            "actor_token_type": ACCESS_TOKEN,
            "requested_token_type": ACCESS_TOKEN,
            "audience": self._to.audience,
        }
        asked_at = time.monotonic()
        try:
            token, lives = await self._ask(form)
        except HttpError as error:
            code = error.problem.get("error") if isinstance(error.problem, dict) else None
            if error.status == 400 and code in ("invalid_request", "invalid_grant"):
                # The error for an invalid subject token, according to section 2.2.2.
                raise _invalid() from None
            raise TransientError("the identity provider exchanges no token") from None
        self._exchanged[known_by] = token, asked_at + min(lives, EXCHANGED_SECONDS)
        self._exchanged.move_to_end(known_by)
        while len(self._exchanged) > self.MOST_KEPT:
            self._exchanged.popitem(last=False)
        return token

    async def _renew(self) -> None:
        form = {"grant_type": "client_credentials", "resource": self._to.audience}
        try:
            self._token, lives = await self._ask(form)
        except HttpError:
            raise TransientError("the identity provider gives no token") from None
        self._until = time.monotonic() + lives

    async def _ask(self, form: Mapping[str, str]) -> tuple[str, float]:
        """A token, and its lifetime in seconds.

        :raises HttpError: the provider gives no token. :raises TransientError: its answer makes no
        sense.
        """
        document = await self._issuer.document()
        ours = {"client_id": self._client_id, "client_secret": self._client_secret}
        scope = {"scope": self._to.scope} if self._to.scope else {}
        answer = await self._http.post_form(document["token_endpoint"], {**form, **ours, **scope})
        try:
            return str(answer["access_token"]), float(answer.get("expires_in", 60))
        except (KeyError, TypeError, ValueError, AttributeError):
            raise TransientError("the identity provider gives no token") from None
