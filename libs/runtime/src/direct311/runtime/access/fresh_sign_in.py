"""An approval is a fresh sign-in: an ID token whose `nonce` is the hash of what is approved.

The identity provider signs it (OpenID Connect Core 1.0, section 2), so a service that was taken
over cannot approve anything in a person's name. Fresh means that the person signed in at most five
minutes before the approval. Whoever receives an approval checks it with the keys that the provider
publishes then, and keeps the key; from then on the approval is checked offline with the kept key,
also years after the provider retired it. A key that the provider no longer publishes approves
nothing new. What somebody approved while it was published still counts when it arrives after that,
for as long as an event may be on its way.
"""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from joserfc import jwk, jws, jwt
from joserfc.jwk import KeySet

from direct311.runtime.access.identity import ALGORITHMS
from direct311.runtime.access.links import MALFORMED
from direct311.runtime.errors import RuntimeFaultError
from direct311.runtime.persons import is_identifier
from direct311.schemas import events as ev
from direct311.verifier.event import DELIVERY_LIMIT

FRESH = timedelta(minutes=5)
"""How long after a sign-in it still approves something."""

SKEW = timedelta(seconds=30)
"""How far the clocks of the provider and of a service may differ."""

LOOKED = timedelta(minutes=5)
"""How often a service looks which keys the provider publishes. A key may have been published for so
long after the service last saw it."""

_FORM = b"direct311-fresh-sign-in-v1"
_LARGEST = 2**53 - 1
_KINDS = frozenset({"OKP", "EC", "RSA"})
_TYPES = frozenset({"", "jwt", "application/jwt"})
"""The `typ` of an ID token; an access token has another one (RFC 9068)."""
_PUBLIC = ("kty", "crv", "x", "y", "n", "e", "kid", "alg", "use")
"""The members of a public key (RFC 7518, section 6; RFC 8037) that are kept."""


class ApprovalError(RuntimeFaultError):
    """An approval does not count. The message says why, and repeats nothing from it."""


class ProviderKeys(Protocol):
    """The keys that the identity provider publishes."""

    async def keys(self, *, newer_than: float = 0.0) -> KeySet:
        """:raises TransientError: it has never answered."""
        ...

    async def keys_after(self, instant: float) -> KeySet:
        """The keys that it published after this instant (`time.monotonic`).

        :raises TransientError: it has not answered since.
        """
        ...


class SeenKeys(Protocol):
    """Which of the provider's keys this service has seen published."""

    async def last_seen(self, thumbprint: str) -> datetime | None:
        """When it last saw the key with this thumbprint; `None` if never."""
        ...


# ---------------------------------------------------------------- what is approved


def canonical(value: object) -> bytes:
    """The one form of a JSON value that is hashed: that of RFC 8785, for values with whole numbers
    and ASCII names only, which ours are.

    :raises ApprovalError: the value has no such form.
    """
    _check(value)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ApprovalError("what is approved has half a character") from None


def _check(value: object) -> None:
    if isinstance(value, dict):
        if not all(isinstance(name, str) and name.isascii() for name in value):
            raise ApprovalError("what is approved has a name that is not ASCII")
        for part in value.values():
            _check(part)
    elif isinstance(value, list):
        for part in value:
            _check(part)
    elif isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        raise ApprovalError("what is approved has a number that is too large")
    elif not (value is None or isinstance(value, str | int)):
        raise ApprovalError("what is approved has a number that is not whole")


def nonce_of(subject: str, content: object) -> str:
    """The `nonce` of an ID token that approves `content` (a JSON value): SHA-256 in base64url, over
    a first line with the format, a second with `subject`, and the canonical form.

    `subject` says what kind of thing it is, so that the approval of one is never that of another.
    """
    return _base64url(sha256(b"\n".join((_FORM, subject.encode(), canonical(content)))).digest())


# ---------------------------------------------------------------- who approved it


@dataclass(frozen=True, slots=True)
class Approvals:
    """Checks approvals. `issuer`: the identity provider; `client_id`: the client through which
    people approve. An ID token for any other client is no approval."""

    issuer: str
    client_id: str

    @classmethod
    def from_file(cls, path: Path, issuer: str) -> "Approvals | None":
        """As the principals file says in `approvals`; `None` if it names no client, and then
        nothing can be approved.

        :raises ApprovalError: the client is one of the services, or the entry is malformed.
        """
        document = json.loads(path.read_bytes())
        given = document.get("approvals")
        if given is None:
            return None
        client_id = given.get("client_id") if isinstance(given, dict) else None
        if not is_identifier(client_id):
            raise ApprovalError("`approvals` in the principals file needs a client_id")
        taken = {
            each.get(name)
            for each in document.get("services", ())
            for name in ("client_id", "audience", "subject")
        }
        if client_id in taken:
            raise ApprovalError("`approvals` in the principals file names a service's client")
        return cls(issuer, str(client_id))

    def check(self, approval: ev.Approval, nonce: str) -> None:
        """Check an approval offline, with the key that was kept with it.

        :raises ApprovalError: the token is not an ID token of the provider for this client, not
        about this approver, not over this `nonce`, or the sign-in was not fresh.
        """
        claims = _claims(approval.id_token, approval.key)
        audience = claims.get("aud")
        if claims.get("iss") != self.issuer:
            raise ApprovalError("another identity provider's")
        if audience not in (self.client_id, [self.client_id]):
            raise ApprovalError("an ID token for another client")
        if claims.get("azp", self.client_id) != self.client_id:
            raise ApprovalError("an ID token for another client")
        if not is_identifier(approval.approver) or claims.get("sub") != approval.approver:
            raise ApprovalError("another person's")
        given = claims.get("nonce")
        if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
            raise ApprovalError("of something else")
        signed_in, issued, ends = (_instant(claims, each) for each in ("auth_time", "iat", "exp"))
        if not signed_in - SKEW <= approval.approved_at <= signed_in + FRESH:
            raise ApprovalError("not within five minutes of a sign-in")
        if not signed_in - SKEW <= issued <= approval.approved_at + SKEW or ends < issued:
            raise ApprovalError("of a time that cannot be")
        if approval.approved_at > ends + SKEW:
            raise ApprovalError("its ID token had expired")

    async def check_on_receipt(
        self,
        approval: ev.Approval,
        nonce: str,
        provider: ProviderKeys,
        seen: SeenKeys,
        now: datetime,
    ) -> str:
        """Check an approval that has just arrived: also, that the provider publishes the key now,
        or published it when the approval was given. Returns the key's thumbprint (RFC 7638).

        A key that is not among those known here may be new. Whether the provider publishes it is
        only certain once it has been asked after the approval arrived. If it does not, the key may
        have been retired since: it counts for what was approved while this service saw it, and for
        14 days, as a retired key of a service does (decision 12).

        :raises ApprovalError: as in `check`, or the key is not one of the provider's.
        :raises TransientError: the provider has never answered, or not since the approval arrived
            with a key that is not known here.
        """
        arrived = time.monotonic()
        self.check(approval, nonce)
        thumbprint = thumbprint_of(approval.key)
        if _has(await provider.keys(), thumbprint):
            return thumbprint
        if _has(await provider.keys_after(arrived), thumbprint):
            return thumbprint
        last = await seen.last_seen(thumbprint)
        if (
            last is not None
            and approval.approved_at <= last + LOOKED + SKEW
            and now <= last + DELIVERY_LIMIT
        ):
            return thumbprint
        raise ApprovalError("signed with a key that the identity provider does not publish")

    async def approved(
        self, id_token: str, nonce: str, at: datetime, provider: ProviderKeys
    ) -> ev.Approval:
        """The approval that an ID token is, with the provider's key that signed it.

        :raises ApprovalError: it is none, see `check`.
        :raises TransientError: the provider has never answered.
        """
        for newer_than in (0.0, time.monotonic() - 10):
            for key in (await provider.keys(newer_than=newer_than)).keys:
                if (kept := public_key(key.as_dict(private=False))) is None:
                    continue
                try:
                    sub = _claims(id_token, kept).get("sub")
                except ApprovalError:
                    continue
                approval = ev.Approval(
                    approver=str(sub), approved_at=at, id_token=id_token, key=dict(kept)
                )
                self.check(approval, nonce)
                return approval
        raise ApprovalError("signed with a key that the identity provider does not publish")


def public_key(document: Mapping[str, Any]) -> Mapping[str, str] | None:
    """What is kept of a public key; `None` if it has no member that names its kind."""
    kept = {name: document[name] for name in _PUBLIC if isinstance(document.get(name), str)}
    return kept if kept.get("kty") in _KINDS else None


def thumbprint_of(document: Mapping[str, str]) -> str:
    """:raises ApprovalError: it is not a public key."""
    return str(_key(document).thumbprint())


def _has(published: KeySet, thumbprint: str) -> bool:
    return any(key.thumbprint() == thumbprint for key in published.keys)


def _key(document: Mapping[str, str]) -> Any:
    try:
        key = jwk.import_key(dict(document))
    except MALFORMED:
        raise ApprovalError("its key cannot be read") from None
    if document.get("kty") not in _KINDS or key.is_private:
        raise ApprovalError("its key is not a public key")
    return key


def _claims(id_token: str, document: Mapping[str, str]) -> Mapping[str, Any]:
    """The claims of an ID token that this key signed.

    :raises ApprovalError: it is none.
    """
    key = _key(document)
    try:
        head = jws.extract_compact(id_token.encode()).headers()
        decoded = jwt.decode(id_token, key, algorithms=ALGORITHMS)
    except MALFORMED:
        raise ApprovalError("not signed with the key that is kept with it") from None
    if str(head.get("typ") or "").lower() not in _TYPES:
        raise ApprovalError("not an ID token")
    if not isinstance(decoded.claims, dict):
        raise ApprovalError("not an ID token")
    return decoded.claims


def _instant(claims: Mapping[str, Any], name: str) -> datetime:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**35:
        raise ApprovalError(f"its ID token has no {name}")
    return datetime.fromtimestamp(value, UTC)


def _base64url(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
