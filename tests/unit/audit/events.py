"""Signed events as the broker delivers them."""

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from uuid_utils import compat

from direct311.runtime.access.rules import Authentication
from direct311.runtime.messaging.broker import Received
from direct311.runtime.messaging.signing import Signer
from direct311.schemas import Encoded, Event, decode, encode
from direct311.schemas import events as ev
from direct311.schemas.model import Model
from direct311.verifier.event import EventKey

START = datetime(2026, 3, 2, 14, tzinfo=UTC)
ORDER = "0195567e-8f00-7000-8000-00000000000a"
RECORD = "0195567e-8f00-7000-8000-000000000001"
OTHER = "0195567e-8f00-7000-8000-000000000002"
THIRD = "0195567e-8f00-7000-8000-000000000003"
HELD = {"intake": ("phone",), "media": ("media_original",), "audit": ("audit_entry",)}
"""A field that each service holds."""


@cache
def private_key(name: str) -> Ed25519PrivateKey:
    """The same key for the same name in every run."""
    return Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest())


def producers() -> list[EventKey]:
    """The keys of the services that sign here."""
    return list(_producers())


@cache
def _producers() -> tuple[EventKey, ...]:
    return tuple(
        EventKey(
            f"{service}-1",
            service,
            private_key(service).public_key().public_bytes_raw(),
            START - timedelta(days=30),
            START + timedelta(days=300),
        )
        for service in ("intake", "media", "geo", "routing", "retention", "audit")
    )


def principals_document() -> dict[str, object]:
    return {
        "keys": [
            key.as_json() | {"public": base64.b64encode(key.public).decode()} for key in producers()
        ]
    }


@dataclass
class Producer:
    """A service that signs, with its numbers; `named`: what it gives as its producer's name."""

    service: str = "intake"
    signer: Signer | None = None
    sequence: int = 0
    started: str = field(default_factory=lambda: str(compat.uuid7()))
    named: str | None = None

    def encoded(
        self, data: Model, subject: str, at: datetime = START, event_id: str | None = None
    ) -> Encoded:
        event: Event[Model] = Event(
            event_id or str(compat.uuid7()), f"/direct311/{self.service}", subject, at, data
        )
        signer = self.signer or Signer(f"{self.service}-1", private_key(self.service))
        return signer.sign(encode(event))

    def access(
        self,
        *records: str,
        actor: str = "maria",
        authentication: Authentication = "oidc",
        action: ev.AccessAction = "view",
        outcome: ev.AccessOutcome = "success",
        purpose: str = "respond",
        department: str | None = None,
        fields: tuple[str, ...] | None = None,
        at: datetime = START,
        event_id: str | None = None,
        roles: tuple[str, ...] = ("agent",),
        instance: str | None = None,
        session: str | None = None,
        issuer: str | None = None,
        break_glass: bool = False,
        case_id: str | None = None,
        reference: str | None = None,
        justification: str | None = None,
        result_count: int | None = None,
        exempt_until: datetime | None = None,
        count: int | None = None,
    ) -> Encoded:
        """An access to these records, if nothing else is said to a field that the service holds."""
        self.sequence += 1
        fields = HELD.get(self.service, ()) if fields is None else fields
        data = ev.PiiAccessed(
            action=action,
            outcome=outcome,
            time=ev.AccessTime(
                occurred_at=at,
                producer=f"{self.service}/{self.started}" if self.named is None else self.named,
                sequence=self.sequence,
            ),
            agent=ev.AccessAgent(
                id=actor,
                roles=roles,
                department=department,
                authentication=authentication,
                session=session,
                issuer=issuer,
                jti=session if issuer else None,
                break_glass=break_glass,
            ),
            where=ev.AccessWhere(
                service=self.service,
                instance=instance or f"{self.service}-1",
                service_version="0.1.0",
                operation="GET /v1/requests/{id}/contact",
            ),
            why=ev.AccessWhy(
                purpose=purpose, case_id=case_id, reference=reference, justification=justification
            ),
            what=ev.AccessWhat(record_ids=records, fields=fields, result_count=result_count),
            decision=ev.AccessDecision(policy_hash="0" * 64, rule="agent-respond"),
            count=count,
            retention=ev.AccessRetention(
                related_record=records[0] if len(records) == 1 else None, exempt_until=exempt_until
            ),
        )
        subject = records[0] if len(records) == 1 else f"{self.service}-1"
        return self.encoded(data, subject, at, event_id)

    def destroyed(self, record: str, at: datetime = START, order: str = ORDER) -> Encoded:
        """A holder's receipt."""
        data = ev.RecordDestroyed(
            record_id=record,
            order_id=order,
            holder=cast(ev.Holder, self.service),
            documents=1,
            fields=2,
            objects=0,
            bytes=100,
            keys=1,
            manner="key shredded, data deleted",
            destroyed_at=at,
            recoverable_until=at + timedelta(days=30),
        )
        return self.encoded(data, record, at)

    def acted(
        self,
        *records: str,
        act: ev.RecordAct = "hold",
        actor: str = "cora",
        roles: tuple[str, ...] = ("counsel",),
        case_id: str | None = None,
        reference: str | None = "26-1 CA 01",
        at: datetime = START,
        event_id: str | None = None,
    ) -> Encoded:
        """Retention's entry for an act that decides about records."""
        about = str(compat.uuid7())
        data = ev.ActRecorded(
            act=act,
            act_id=str(compat.uuid7()),
            about=about,
            records=len(records),
            record_ids=records,
            agent=ev.AccessAgent(id=actor, roles=roles),
            why=ev.AccessWhy(purpose="retention", case_id=case_id, reference=reference),
            occurred_at=at,
        )
        return self.encoded(data, about, at, event_id)

    def certified(
        self,
        *records: str,
        at: datetime = START,
        supplement_to: str | None = None,
        order: str = ORDER,
    ) -> Encoded:
        """Retention's certificate."""
        certificate = str(compat.uuid7())
        data = ev.DispositionCertified(
            certificate_id=certificate,
            order_id=order,
            record_ids=records,
            schedule_number="GS1-SL",
            item_number="32",
            series_title="Complaints",
            inclusive_dates=(at.date(), at.date()),
            volume_records=len(records),
            volume_bytes=100,
            manner="key shredded, data deleted",
            disposed_on=at.date(),
            recoverable_until=at + timedelta(days=30),
            sha256="0" * 64,
            supplement_to=supplement_to,
            certified_at=at,
        )
        return self.encoded(data, certificate, at)


def received(message: Encoded, offset: int = 0, partition: int = 0) -> Received:
    """The message as the consumer hands it on, signature checked."""
    event = decode(message.headers, message.body)
    return Received(event, message.headers, message.body, message.topic, partition, offset)
