"""Who is calling: OpenID Connect access tokens, checked offline, and the service's own token."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from direct311.runtime.access import Caller
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.peers import HttpClient, HttpError


class UnauthenticatedError(RefusedError):
    """There is no valid token. The answer does not say what was wrong with it in detail."""

    def __init__(self, detail: str) -> None:
        super().__init__(401, "unauthenticated", detail)


class Issuer:
    """An OpenID Connect provider, found by discovery (OpenID Connect Discovery 1.0, section 4)."""

    KEYS_FOR_SECONDS = 300.0

    def __init__(self, url: str, http: HttpClient) -> None:
        self._url = url.rstrip("/")
        self._http = http
        self._document: Mapping[str, Any] | None = None
        self._keys: KeySet | None = None
        self._read_at = 0.0
        self._lock = asyncio.Lock()

    async def document(self) -> Mapping[str, Any]:
        """The discovery document."""
        if self._document is None:
            try:
                self._document = await self._http.get_json(
                    f"{self._url}/.well-known/openid-configuration"
                )
            except HttpError:
                raise TransientError("the identity provider does not answer") from None
        return self._document

    async def keys(self, *, newer_than: float = 0.0) -> KeySet:
        """The provider's keys, read again when older than five minutes or `newer_than`."""
        async with self._lock:
            stale = time.monotonic() - self._read_at > self.KEYS_FOR_SECONDS
            if self._keys is None or stale or self._read_at < newer_than:
                document = await self.document()
                try:
                    found = await self._http.get_json(document["jwks_uri"])
                except HttpError:
                    if self._keys is None:
                        raise TransientError("the identity provider does not answer") from None
                    return self._keys
                self._keys = KeySet.import_key_set(found)
                self._read_at = time.monotonic()
            return self._keys


class Authenticator:
    """Turns a bearer token into a `Caller`."""

    def __init__(self, issuer: Issuer, issuer_url: str, audience: str) -> None:
        self._issuer = issuer
        self._claims = jwt.JWTClaimsRegistry(
            leeway=30,
            iss={"essential": True, "value": issuer_url},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    async def caller(self, authorization: str | None, on_behalf_of: str | None = None) -> Caller:
        """The caller of a request with these headers.

        A service may bring the token of the person behind it (`X-On-Behalf-Of`): the caller is
        then that person, `via` the service.

        :raises UnauthenticatedError: no token, or none that is valid here.
        """
        caller = await self._one(_bearer(authorization))
        if on_behalf_of is None:
            return caller
        if "service" not in caller.roles:
            raise UnauthenticatedError("Only a service may act on behalf of a person.")
        person = await self._one(_bearer(on_behalf_of))
        return person.behind(caller.sub)

    async def _one(self, token: str) -> Caller:
        try:
            claims = await self._decode(token)
        except JoseError:
            raise UnauthenticatedError("The token is not valid here.") from None
        roles = claims.get("roles", [])
        if not isinstance(roles, list):
            raise UnauthenticatedError("The token's roles must be a list.")
        return Caller(
            sub=str(claims["sub"]),
            roles=tuple(str(role) for role in roles),
            department=claims.get("department"),
            token_id=claims.get("jti"),
            authentication="service" if "service" in roles else "oidc",
        )

    async def _decode(self, token: str) -> Mapping[str, Any]:
        keys = await self._issuer.keys()
        try:
            decoded = jwt.decode(token, keys, algorithms=["EdDSA", "Ed25519", "ES256", "RS256"])
        except (JoseError, ValueError):
            # A key that was added since: read the keys again, at most every ten seconds.
            keys = await self._issuer.keys(newer_than=time.monotonic() - 10)
            try:
                decoded = jwt.decode(token, keys, algorithms=["EdDSA", "Ed25519", "ES256", "RS256"])
            except ValueError:
                raise JoseError from None
        self._claims.validate(decoded.claims)
        return decoded.claims


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
        self._until = 0.0
        self._lock = asyncio.Lock()

    async def get(self) -> str:
        """A token with at least half a minute to live.

        :raises TransientError: the provider does not answer.
        """
        async with self._lock:
            if time.monotonic() > self._until - 30:
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
                except HttpError:
                    raise TransientError("the identity provider gives no token") from None
                self._token = str(answer["access_token"])
                self._until = time.monotonic() + float(answer.get("expires_in", 60))
            return self._token
