"""Signed links, with which residents show that a request is theirs.

A link is a JSON Web Token (RFC 7519) made by intake, with its own type (`typ`, RFC 8725 section
3.11), so that no other token passes for a link. Its holder may see the data in one record, correct
it, and see who has seen it. It is sent in the Authorization header, never in a URL.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from direct311.runtime.access.rules import Caller
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import RuntimeFaultError
from direct311.runtime.messaging.signing import PublicKey, public_keys

TYPE = "direct311-link+jwt"
SCOPE = "subject"
ISSUER = "/direct311/intake"
ALGORITHM = "Ed25519"
"""The algorithm's name according to RFC 9864."""

MALFORMED = (JoseError, ValueError, TypeError, AttributeError, KeyError)
"""The errors raised while reading an invalid token. If a part has an unexpected type, the error is
not one of the library's own."""

LINK = "link:"
"""The beginning of a link caller's id; the record's id follows."""

_LEEWAY_SECONDS = 30


class LinkError(RuntimeFaultError):
    """The link is not valid here and now."""


class LinkKeyError(RuntimeFaultError):
    """The key that signs links is not in the list of public keys, or is not valid now."""


@dataclass(frozen=True, slots=True)
class SignedLink:
    """A link as given out, and the end of its validity."""

    token: str = field(repr=False)
    expires_at: datetime


def is_link(token: str) -> bool:
    """Whether a token claims to be a link; `Links.caller` checks whether it really is."""
    try:
        return bool(jws.extract_compact(token.encode()).headers().get("typ") == TYPE)
    except MALFORMED:
        return False


class Links:
    """Checks links offline, with the public keys in `link_keys` in the principals file.

    A key, and every link that it signed, is valid from `not_before` to `not_after`. To retire a
    leaked key, set its end to a time in the past.
    """

    def __init__(self, keys: Mapping[str, PublicKey], audience: str, clock: Clock) -> None:
        self._known = dict(keys)
        self._keys = {keyid: OKPKey.import_key(each.key) for keyid, each in keys.items()}
        self._clock = clock
        self._claims = jwt.JWTClaimsRegistry(
            now=lambda: int(clock.now().timestamp()),
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": audience},
            iat={"essential": True},
            exp={"essential": True},
            jti={"essential": True},
            scope={"essential": True, "value": SCOPE},
            record_id={"essential": True},
        )

    @classmethod
    def from_file(cls, path: Path, audience: str, clock: Clock) -> "Links":
        """The keys of a principals file; a file that lists no keys accepts no links."""
        return cls(public_keys(json.loads(path.read_bytes()), "link_keys"), audience, clock)

    def caller(self, token: str) -> Caller:
        """The resident who holds the link.

        :raises LinkError: the link is not intake's, was changed, has expired, or was signed with a
        key that is unknown or not valid now.
        """
        try:
            key = self._keys[self._valid(jws.extract_compact(token.encode()).headers())]
            decoded = jwt.decode(token, key, algorithms=[ALGORITHM])
            self._claims.validate(decoded.claims)
        except MALFORMED:
            raise LinkError("the link is not valid here") from None
        record_id = decoded.claims["record_id"]
        if not isinstance(record_id, str):
            raise LinkError("the link names no record")
        return Caller(
            sub=f"{LINK}{record_id}",
            roles=("resident",),
            token_id=decoded.claims["jti"],
            authentication="signed_link",
            link_record_id=record_id,
        )

    def good_until(self, keyid: str, public: bytes) -> datetime:
        """When this key (its raw 32 bytes) expires.

        :raises LinkKeyError: the list has no such key, or it is not valid now.
        """
        known = self._known.get(keyid)
        if known is None or known.key.public_bytes_raw() != public:
            raise LinkKeyError("the key of signed links is not among link_keys of the principals")
        if not known.not_before <= self._clock.now() <= known.not_after:
            raise LinkKeyError("the key of signed links is not valid now; put a new one in force")
        return known.not_after

    def _valid(self, header: Mapping[str, object]) -> str:
        keyid = str(header.get("kid"))
        known = self._known[keyid]
        if header.get("typ") != TYPE or not known.not_before <= self._clock.now() <= (
            known.not_after
        ):
            raise LinkError("not a link, or by a key that is not valid now")
        return keyid


class LinkSigner:
    """Makes links. Only intake has one.

    :raises LinkKeyError: `links` would not accept links signed by this key.
    """

    def __init__(
        self,
        keyid: str,
        private: Ed25519PrivateKey,
        *,
        links: Links,
        audience: str,
        lifetime: timedelta,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._keyid = keyid
        self._key = OKPKey.import_key(private)
        self._public = private.public_key().public_bytes_raw()
        self._links = links
        self._audience = audience
        self._lifetime = lifetime
        self._clock = clock
        self._ids = ids
        links.good_until(keyid, self._public)

    def issue(self, record_id: str, link_id: str | None = None) -> SignedLink:
        """A new link to a record. `link_id` identifies the link's uses in the access log.

        :raises LinkKeyError: the key has expired.
        """
        now = self._clock.now()
        until = min(now + self._lifetime, self._links.good_until(self._keyid, self._public))
        claims = {
            "iss": ISSUER,
            "aud": self._audience,
            "iat": int(now.timestamp()),
            "exp": int(until.timestamp()),
            "jti": link_id or self._ids.new(),
            "record_id": record_id,
            "scope": SCOPE,
        }
        header = {"alg": ALGORITHM, "kid": self._keyid, "typ": TYPE}
        token = jwt.encode(header, claims, self._key, algorithms=[ALGORITHM])
        return SignedLink(token, until.replace(microsecond=0))
