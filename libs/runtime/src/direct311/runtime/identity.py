"""Who is calling: OpenID Connect access tokens and signed links, checked offline, and the service's
own token."""

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet

from direct311.runtime.access import Caller
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.links import MALFORMED, LinkError, Links, is_link
from direct311.runtime.peers import HttpClient, HttpError
from direct311.runtime.sign_ins import SignIns


class UnauthenticatedError(RefusedError):
    """There is no valid token. The answer does not say what was wrong with it in detail."""

    def __init__(self, detail: str) -> None:
        super().__init__(401, "unauthenticated", detail)


class Issuer:
    """An OpenID Connect provider, found by discovery (OpenID Connect Discovery 1.0, section 4)."""

    KEYS_FOR_SECONDS = 300.0
    ASK_AGAIN_SECONDS = 10.0
    """A provider that did not answer is left alone for so long, where its keys are known."""

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

        :raises TransientError: the provider does not answer, or not with one.
        """
        if self._document is None:
            found = await self._read(f"{self._url}/.well-known/openid-configuration")
            named = found if isinstance(found, dict) else {}
            addresses = [str(named.get(name)) for name in ("jwks_uri", "token_endpoint")]
            if not all(each.startswith(("https://", "http://")) for each in addresses):
                raise TransientError("the identity provider says nothing of keys and tokens")
            self._document = found
        return self._document

    async def keys(self, *, newer_than: float = 0.0) -> KeySet:
        """The provider's keys, read again when older than five minutes or `newer_than`; those that
        are known where it does not answer.

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
                    self._keys = _key_set(await self._read(document["jwks_uri"]))
                    self._read_at = time.monotonic()
                except TransientError:
                    self._failed_at = time.monotonic()
            return self._known()

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


class Authenticator:
    """Turns a bearer token into a `Caller`: a person's or service's of the issuer, or a link."""

    def __init__(
        self,
        issuer: Issuer,
        issuer_url: str,
        audience: str,
        sign_ins: SignIns | None = None,
        links: Links | None = None,
    ) -> None:
        self._issuer = issuer
        self._links = links
        self._sign_ins = sign_ins
        self._claims = jwt.JWTClaimsRegistry(
            leeway=30,
            iss={"essential": True, "value": issuer_url},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    async def caller(
        self,
        authorization: str | None,
        on_behalf_of: str | None = None,
        host: str | None = None,
    ) -> Caller:
        """The caller of a request with these headers, which came from the network address `host`.

        A service may bring the token of the person behind it (`X-On-Behalf-Of`): the caller is
        then that person, `via` the service. First uses of a token and failures are noted.

        :raises UnauthenticatedError: no token, or none that is valid here.
        """
        if self._sign_ins is None:
            return await self._caller(authorization, on_behalf_of)
        source = self._sign_ins.sources.name(host)
        try:
            caller = await self._caller(authorization, on_behalf_of)
        except UnauthenticatedError:
            self._sign_ins.failed(source)
            raise
        # The address that a service's call comes from is not the person's, and where residents call
        # from is not kept.
        if caller.via is None and caller.authentication != "signed_link":
            caller = replace(caller, address=source)
        self._sign_ins.came(caller)
        return caller

    async def _caller(self, authorization: str | None, on_behalf_of: str | None) -> Caller:
        caller = await self._one(_bearer(authorization))
        if on_behalf_of is None:
            return caller
        if "service" not in caller.roles:
            raise UnauthenticatedError("Only a service may act on behalf of a person.")
        person = await self._one(_bearer(on_behalf_of))
        return person.behind(caller.sub)

    async def _one(self, token: str) -> Caller:
        if self._links is not None and is_link(token):
            try:
                return self._links.caller(token)
            except LinkError:
                raise _invalid() from None
        claims = await self._decode(token)
        roles, department = claims.get("roles", []), claims.get("department")
        if not isinstance(roles, list) or not isinstance(department, str | None):
            raise UnauthenticatedError("The token's roles must be a list, its department a code.")
        token_id = claims.get("jti")
        return Caller(
            sub=str(claims["sub"]),
            roles=tuple(str(role) for role in roles),
            department=department,
            token_id=None if token_id is None else str(token_id),
            authentication="service" if "service" in roles else "oidc",
        )

    async def _decode(self, token: str) -> Mapping[str, Any]:
        claims = _signed(token, await self._issuer.keys())
        if claims is None:
            # A key that was added since: read the keys again, at most every ten seconds.
            claims = _signed(token, await self._issuer.keys(newer_than=time.monotonic() - 10))
        if claims is None:
            raise _invalid()
        try:
            self._claims.validate(claims)
        except MALFORMED:
            raise _invalid() from None
        return claims


def _signed(token: str, keys: KeySet) -> dict[str, Any] | None:
    """What a token says; `None` where none of the keys has signed it, and where it is none."""
    try:
        return jwt.decode(token, keys, algorithms=["EdDSA", "Ed25519", "ES256", "RS256"]).claims
    except MALFORMED:
        return None


def _invalid() -> UnauthenticatedError:
    return UnauthenticatedError("The token is not valid here.")


def _bearer(header: str | None) -> str:
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise UnauthenticatedError("Send a bearer token in the Authorization header.")
    return token.strip()


class ServiceToken:
    """The service's own access token (client credentials, RFC 6749 section 4.4), kept fresh."""

    def __init__(
        self, issuer: Issuer, http: HttpClient, client_id: str, client_secret: str
    ) -> None:
        self._issuer = issuer
        self._http = http
        self._client_id = client_id
        self._client_secret = client_secret
        self._token = ""
        self._until = -math.inf
        self._lock = asyncio.Lock()

    async def get(self) -> str:
        """A token with at least half a minute to live, or what is left where there is no new one.

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

    async def _renew(self) -> None:
        document = await self._issuer.document()
        try:
            answer = await self._http.post_form(
                document["token_endpoint"],
                {
                    "grant_type": "client_credentials",
                    "client_id": self._client_id,
                    "client_secret": self._client_secret,
                },
            )
            token, lives = str(answer["access_token"]), float(answer.get("expires_in", 60))
        except (HttpError, KeyError, TypeError, ValueError, AttributeError):
            raise TransientError("the identity provider gives no token") from None
        self._token = token
        self._until = time.monotonic() + lives
