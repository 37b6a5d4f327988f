"""Disclosure cases for tests: an identity provider's approvals, retention's signed events, and an
owner that keeps them."""

import base64
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey

from direct311.runtime.access.disclosures import (
    Disclosures,
    KeptDisclosure,
    nonce_of_grant,
)
from direct311.runtime.access.fresh_sign_in import Approvals, public_key
from direct311.runtime.clock import TimeOrderedIds
from direct311.runtime.errors import TransientError
from direct311.runtime.messaging.broker import Received
from direct311.runtime.messaging.signing import Principals, PublicKey, Signer
from direct311.schemas import Encoded, Event, decode, encode
from direct311.schemas import events as ev
from tests.support.runtime import NOW, SetClock

ISSUER = "https://id.county.test"
CLIENT = "direct311-approvals"
CASE, GRANT, RECORD, FILE = "case-1", "grant-1", "record-1", "file-1"
DAY = timedelta(days=1)


class Provider:
    """An identity provider with the keys that it publishes, and what a service knows of them.

    `answers`: whether it can be asked. `known`: the keys that the service read last; `None` if it
    asks each time.
    """

    def __init__(self, issuer: str = ISSUER, client: str = CLIENT) -> None:
        self.issuer, self.client = issuer, client
        self.key = provider_key("idp-1")
        self.published = [self.key]
        self.known: list[OKPKey] | None = None
        self.answers = True

    async def keys(self, *, newer_than: float = 0.0) -> KeySet:
        if self.known is not None:
            return KeySet(list(self.known))
        return await self.keys_after(newer_than)

    async def keys_after(self, instant: float) -> KeySet:
        if not self.answers:
            raise TransientError("no answer")
        return KeySet(list(self.published))

    def id_token(self, sub: str, nonce: str, at: datetime, /, **changes: Any) -> str:
        """An ID token of somebody who signed in at that time; `None` leaves a claim out."""
        head = {"alg": "Ed25519", "kid": self.key.kid, "typ": "JWT"} | changes.pop("head", {})
        when = int(at.timestamp())
        claims = {
            "iss": self.issuer,
            "aud": self.client,
            "sub": sub,
            "nonce": nonce,
            "auth_time": when,
            "iat": when,
            "exp": when + 300,
            **changes,
        }
        given = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(head, given, self.key, algorithms=["Ed25519"])

    def approval(self, sub: str, nonce: str, at: datetime, /, **changes: Any) -> ev.Approval:
        """The approval of somebody who signed in at that time."""
        kept = public_key(self.key.as_dict(private=False))
        assert kept is not None
        token = self.id_token(sub, nonce, at, **changes)
        return ev.Approval(approver=sub, approved_at=at, id_token=token, key=dict(kept))


def provider_key(keyid: str) -> OKPKey:
    private = Ed25519PrivateKey.generate()
    parts = {"x": private.public_key().public_bytes_raw(), "d": private.private_bytes_raw()}
    text = {k: base64.urlsafe_b64encode(v).rstrip(b"=").decode() for k, v in parts.items()}
    return OKPKey.import_key(
        {"kty": "OKP", "crv": "Ed25519", "kid": keyid, "alg": "Ed25519", "use": "sig", **text}
    )


def grant(**changes: Any) -> ev.DisclosureGrant:
    """A grant that lia prepared and works with."""
    return ev.DisclosureGrant(
        **{
            "grant_id": GRANT,
            "case_id": CASE,
            "kind": "public_records",
            "record_ids": (RECORD,),
            "file_ids": (FILE,),
            "fields": ("description", "phone", "person_index", "media_original"),
            "searches": (ev.GrantedSearch(kind="person", number=2),),
            "workers": ("lia",),
            "prepared_by": "lia",
            "prepared_at": NOW - timedelta(hours=1),
            "valid_until": NOW + DAY,
            **changes,
        }
    )


class Office:
    """Retention's signature, the identity provider, and an owner of sealed data."""

    def __init__(self, clock: SetClock | None = None) -> None:
        self.clock = clock or SetClock(NOW)
        self.provider = Provider()
        self.store = InMemoryKeptDisclosures()
        self.seen = InMemorySeenKeys()
        self.private = Ed25519PrivateKey.generate()
        self.signer = Signer("retention-1", self.private)
        self.trusted = {"retention-1": self.trust("retention-1", "retention", self.private)}
        self.ids = TimeOrderedIds()

    def trust(
        self,
        keyid: str,
        service: str,
        private: Ed25519PrivateKey,
        until: datetime = NOW + 365 * DAY,
    ) -> PublicKey:
        return PublicKey(keyid, service, private.public_key(), NOW - 365 * DAY, until)

    @property
    def owner(self) -> Disclosures:
        """The owner, as a process that has just started sees everything."""
        return Disclosures(
            self.store,
            Principals(self.trusted),
            Approvals(ISSUER, CLIENT),
            self.provider,
            self.seen,
            self.clock,
        )

    def approved(
        self, given: ev.DisclosureGrant | None = None, *by: str, version: int = 1, **more: Any
    ) -> ev.DisclosureApproved:
        """A grant with its approvals, given just now by counsel unless others are named."""
        given = given or grant()
        nonce = nonce_of_grant(given)
        return ev.DisclosureApproved(
            **{
                "case_id": given.case_id,
                "version": version,
                "kind": given.kind,
                "grant": given,
                "approvals": tuple(
                    self.provider.approval(each, nonce, self.clock.now())
                    for each in by or ("counsel-carla",)
                ),
                **more,
            }
        )

    def revoked(self, *, version: int = 2, grant_id: str = GRANT) -> ev.DisclosureRevoked:
        return ev.DisclosureRevoked(
            case_id=CASE,
            version=version,
            kind="public_records",
            grant_id=grant_id,
            revoked_by="olga",
            reason="withdrawn",
            revoked_at=self.clock.now(),
        )

    def recorded(
        self, version: int, exemption: ev.CaseExemption | None = None
    ) -> ev.DisclosureRecorded:
        return ev.DisclosureRecorded(
            case_id=CASE,
            version=version,
            kind="public_records",
            exemption=exemption or ev.CaseExemption(),
            step="scoped",
            state="scoping",
            actor="lia",
            occurred_at=self.clock.now(),
        )

    def message(
        self, data: ev.DisclosureEvent, signer: Signer | None = None, source: str = "retention"
    ) -> Encoded:
        """The event as retention sends it now."""
        event: Event[Any] = Event(
            self.ids.new(), f"/direct311/{source}", data.case_id, self.clock.now(), data
        )
        return (signer or self.signer).sign(encode(event))

    async def say(self, *told: ev.DisclosureEvent | Encoded) -> Sequence[Exception]:
        """The owner receives these events; returns what was wrong with those that do not count."""
        messages = [each if isinstance(each, Encoded) else self.message(each) for each in told]
        return [error for _, error in await self.owner.take([received(each) for each in messages])]


def no_cases() -> Disclosures:
    """An owner that has heard of no case."""
    return Office().owner


def received(message: Encoded) -> Received:
    event = decode(message.headers, message.body)
    return Received(event, message.headers, message.body, message.topic, 0, 0)


class InMemorySeenKeys:
    """`SeenKeyStore` in a dictionary."""

    def __init__(self) -> None:
        self._last: dict[str, datetime] = {}

    async def last_seen(self, thumbprint: str) -> datetime | None:
        return self._last.get(thumbprint)

    async def saw(self, thumbprints: Collection[str], at: datetime) -> None:
        for each in thumbprints:
            self._last[each] = max(at, self._last.get(each, at))


class InMemoryKeptDisclosures:
    """`KeptDisclosures` in dictionaries."""

    def __init__(self) -> None:
        self.kept: dict[str, KeptDisclosure] = {}
        self._searches: defaultdict[tuple[str, str], set[int]] = defaultdict(set)

    async def keep(self, disclosure: KeptDisclosure) -> None:
        if not disclosure.is_state:
            self.kept.setdefault(disclosure.event_id, disclosure)
            return
        name = f"{disclosure.case_id}:state"
        known = self.kept.get(name)
        if known is None or known.version < disclosure.version:
            self.kept[name] = disclosure

    async def of_case(self, case_id: str) -> Sequence[KeptDisclosure]:
        found = [
            (each.version, name, each)
            for name, each in self.kept.items()
            if each.case_id == case_id
        ]
        return [each for *_, each in sorted(found, key=lambda item: item[:2])]

    async def count_search(self, grant_id: str, kind: str, most: int) -> int | None:
        taken = self._searches[grant_id, kind]
        number = next((each for each in range(most) if each not in taken), None)
        if number is not None:
            taken.add(number)
        return number

    async def discount_search(self, grant_id: str, kind: str, number: int) -> None:
        self._searches[grant_id, kind].discard(number)

    def edit(self, event_id: str, /, **changes: Any) -> None:
        """What somebody who writes to the database can do."""
        self.kept[event_id] = self.kept[event_id].model_copy(update=changes)


def bytes_changed(kept: KeptDisclosure, old: bytes, new: bytes) -> Mapping[str, Any]:
    """The kept event with other bytes in its body."""
    assert old in kept.kept.body
    body = kept.kept.body.replace(old, new)
    return {"kept": kept.kept.model_copy(update={"body": body})}
