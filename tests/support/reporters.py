"""Intake's use cases of reporters over fakes: tickets, codes, messages, and one request."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from email.message import EmailMessage

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from direct311.intake.catalogue.adapters import load_catalogue, load_emergencies, load_policies
from direct311.intake.indexes.adapters.keyed import KeyedIndexes
from direct311.intake.lifecycle.handlers import Follow
from direct311.intake.protection.handlers.address_index import AddressIndex
from direct311.intake.reporter.adapters.messages import load_messages
from direct311.intake.reporter.handlers.codes import OneTimeCodes, SentCodes
from direct311.intake.reporter.handlers.comment import AddComment
from direct311.intake.reporter.handlers.mail import Mail
from direct311.intake.reporter.handlers.reporter import Reporter
from direct311.intake.reporter.handlers.subject import Subject
from direct311.intake.reporter.ports import UndeliverableError, WaitingCode
from direct311.intake.request import READINGS, ServiceRequest
from direct311.intake.uploads.domain import AnnouncedFile, UploadTicket
from direct311.intake.uploads.handlers import Upload
from direct311.intake.uploads.ports import Address, File
from direct311.runtime.access.ledger import Ledger
from direct311.runtime.access.rules import Caller, load_access_policy
from direct311.runtime.clock import TimeOrderedIds
from direct311.runtime.errors import TransientError
from direct311.runtime.messaging.records import Emitter, EventProcessor, Write
from direct311.runtime.messaging.signing import Signer
from direct311.runtime.telemetry import Metrics
from direct311.runtime.vault.keys import FileKeyProvider
from direct311.runtime.vault.vault import Vault
from direct311.schemas import Event, decode
from direct311.schemas import events as ev
from direct311.schemas.model import Model
from tests.support.access_log import InMemoryAccessLog
from tests.support.addresses import InOneLine
from tests.support.keys import InMemoryKeys
from tests.support.links import signed_links
from tests.support.memory import IdleRelay, InMemoryRecords
from tests.support.runtime import NOW, SetClock

PERSON = {
    "first_name": "Zora",
    "last_name": "Neale",
    "phone": "305-555-0142",
    "email": "zora@example.org",
    "description": "A dog barks at 3 a.m.",
}
CATALOGUE = load_catalogue().content
POLICIES = load_policies().content
NOTICE = POLICIES.policies[0].email_notice.version


class FakeMedia:
    """The media service's front door: what was brought, by upload id."""

    def __init__(self, clock: SetClock) -> None:
        self.brought: dict[str, tuple[int, str]] = {}
        self.given = 0
        self._clock = clock

    async def addresses(self, files: Sequence[AnnouncedFile]) -> Sequence[Address]:
        found = []
        for file in files:
            self.given += 1
            until = self._clock.now() + timedelta(minutes=10)
            name = f"u-{self.given}"
            found.append(
                Address(name, f"https://store/{name}", {"Content-Type": file.content_type}, until)
            )
        return found

    async def examine(self, upload_ids: Sequence[str]) -> Mapping[str, tuple[int, str]]:
        return {each: self.brought[each] for each in upload_ids if each in self.brought}

    async def put(self, files: Sequence[File]) -> Sequence[ev.UploadRef]:
        raise AssertionError("nothing is brought by intake here")

    async def withdraw(self, uploads: Sequence[ev.UploadRef]) -> None:
        raise AssertionError("nothing is withdrawn here")


class InMemoryTickets:
    """`UploadTickets`."""

    def __init__(self) -> None:
        self.tickets: dict[str, UploadTicket] = {}

    async def keep(self, tickets: Sequence[UploadTicket]) -> None:
        self.tickets.update({each.upload_id: each for each in tickets})

    async def get(self, upload_ids: Sequence[str]) -> Mapping[str, UploadTicket]:
        return {each: self.tickets[each] for each in upload_ids if each in self.tickets}

    async def claim(self, upload_id: str, claim: str, record_id: str, at: datetime) -> bool:
        ticket = self.tickets.get(upload_id)
        if ticket is None or ticket.claim not in (None, claim):
            return False
        update = {"claim": claim, "record_id": record_id, "claimed_at": at}
        self.tickets[upload_id] = ticket.model_copy(update=update)
        return True

    async def release(self, upload_ids: Sequence[str], claim: str) -> None:
        for each in upload_ids:
            ticket = self.tickets.get(each)
            if ticket is not None and ticket.claim == claim:
                nothing = {"claim": None, "record_id": None, "claimed_at": None}
                self.tickets[each] = ticket.model_copy(update=nothing)


class InMemoryRequests:
    """`Requests`, `Submitted` and the outbox of messages, over the records."""

    def __init__(self, records: InMemoryRecords[ServiceRequest]) -> None:
        self._records = records

    def _active(self) -> list[ServiceRequest]:
        states = [write.state for write in self._records.documents.values()]
        return [state for state in states if state.lifecycle == "active"]

    async def get(self, record_id: str) -> ServiceRequest | None:
        return next((each for each in self._active() if each.record_id == record_id), None)

    async def by_id(self, record_id: str) -> ServiceRequest | None:
        found = self._records.documents.get(record_id)
        return found.state if found else None

    async def by_idempotency(self, key: str) -> ServiceRequest | None:
        states = (write.state for write in self._records.documents.values())
        return next((each for each in states if each.idempotency == key), None)

    async def with_index(self, field: str, values: Sequence[str], limit: int) -> Sequence[str]:
        raise AssertionError("nobody searches here")

    async def indexes_of(
        self, record_ids: Sequence[str]
    ) -> Mapping[str, Mapping[str, Sequence[str]]]:
        raise AssertionError("nobody searches here")

    async def with_mail(self, at: datetime, limit: int) -> Sequence[str]:
        states = [write.state for write in self._records.documents.values()]
        return [
            each.record_id
            for each in states
            if each.mail_after is not None and each.mail_after <= at
        ][:limit]


class FakeCodes:
    """`Codes` and their outbox: one code at a time, and no limit of questions."""

    def __init__(self) -> None:
        self.waiting: dict[str, WaitingCode] = {}
        self.nonces: dict[str, str] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.again: datetime | None = None

    async def ask(
        self, record_id: str, at: datetime, nonce: str | None, language: str
    ) -> datetime | None:
        self.asked.append((record_id, nonce))
        if nonce is not None and self.again is None:
            until = at + timedelta(minutes=10)
            self.nonces[record_id] = nonce
            self.waiting[record_id] = WaitingCode(record_id, nonce, language, at, until, 0)
        return self.again

    async def attempt(self, record_id: str, at: datetime) -> str | None:
        return self.nonces.get(record_id)

    async def use(self, record_id: str, nonce: str) -> bool:
        return self.nonces.pop(record_id, None) == nonce

    async def forget(self, record_id: str) -> None:
        self.nonces.pop(record_id, None)

    async def due(self, at: datetime, limit: int) -> Sequence[WaitingCode]:
        return [each for each in self.waiting.values() if each.mail_after <= at][:limit]

    async def trying(self, code: WaitingCode, again: datetime) -> bool:
        if self.waiting.get(code.record_id) != code:
            return False
        self.waiting[code.record_id] = WaitingCode(
            code.record_id, code.nonce, code.language, again, code.good_until, code.tries + 1
        )
        return True

    async def sent(self, code: WaitingCode) -> None:
        self.waiting.pop(code.record_id, None)


class FakeMailer:
    """Remembers what it was given. A relay that is `down` takes nothing; one that `refuses` never
    will."""

    def __init__(self) -> None:
        self.sent: list[EmailMessage] = []
        self.tried = 0
        self.down = False
        self.refuses = False

    async def send(self, message: EmailMessage) -> None:
        self.tried += 1
        if self.refuses:
            raise UndeliverableError("the mail relay refused the message")
        if self.down:
            raise TransientError("the mail relay did not take the message")
        self.sent.append(message)


class Registry:
    """The protection registry: nobody is in it."""

    version = 1

    def matches(self, hashes: Iterable[str]) -> bool:
        return False


class World:
    """All of it together."""

    def __init__(self) -> None:
        self.clock = SetClock()
        self.log = InMemoryAccessLog()
        self.keys = InMemoryKeys()
        self.records: InMemoryRecords[ServiceRequest] = InMemoryRecords()
        names = ("phone", "email", "name", "address", "cell", "content", "search")
        self.indexes = KeyedIndexes(1, {name: os.urandom(32) for name in names}, self.clock)
        signer = Signer("intake-test", Ed25519PrivateKey.generate())
        self.ledger = Ledger(
            service="intake",
            instance="intake-test",
            version="0",
            publisher=self.log,
            signer=signer,
            clock=self.clock,
            ids=TimeOrderedIds(),
            metrics=Metrics(),
            mask=lambda text: text,
        )
        provider = FileKeyProvider("kek-1", {"kek-1": bytes(32)})
        self.vault = Vault(self.keys, provider, self.ledger, load_access_policy(), self.clock)
        processor = EventProcessor(
            self.records,
            lambda record_id: ServiceRequest(record_id=record_id),
            {},
            Emitter("intake", self.clock, signer),
            IdleRelay(),
            self.clock,
        )
        self.links, self.signer = signed_links(self.clock)
        self.media, self.tickets = FakeMedia(self.clock), InMemoryTickets()
        self.requests = InMemoryRequests(self.records)
        self.upload = Upload(self.media, self.tickets, self.requests, self.clock)
        self.follow = Follow(Registry(), self.indexes.place, self.clock)
        self.reporter = Reporter(
            processor=processor,
            vault=self.vault,
            brought=self.upload,
            catalogue=CATALOGUE,
            policies=POLICIES,
            emergencies=load_emergencies().content,
            can_mail=True,
            clock=self.clock,
            ids=TimeOrderedIds(),
            content_key=self.indexes.content_key,
        )
        self.add_comment = AddComment(
            processor=processor,
            vault=self.vault,
            emergencies=load_emergencies().content,
            clock=self.clock,
            ids=TimeOrderedIds(),
            content_key=self.indexes.content_key,
        )
        self.codes, self.mailer = FakeCodes(), FakeMailer()
        sent = SentCodes(self.codes, self.clock, self.indexes.content_key)
        self.subject = Subject(
            processor=processor,
            vault=self.vault,
            indexes=self.indexes,
            home=AddressIndex(InOneLine(), self.indexes),
            protections=Registry(),
            protect=self.follow.protect,
            links=self.signer,
            sent=sent,
            clock=self.clock,
            ids=TimeOrderedIds(),
            content_key=self.indexes.content_key,
            notices={each.email_notice.version for each in POLICIES.policies},
        )
        self.one_time = OneTimeCodes(
            requests=self.requests,
            codes=self.codes,
            sent=sent,
            indexes=self.indexes,
            vault=self.vault,
            links=self.signer,
            clock=self.clock,
        )
        self.mail = Mail(
            mailer=self.mailer,
            codes=self.codes,
            requests=self.requests,
            processor=processor,
            vault=self.vault,
            messages=load_messages().content,
            policies=POLICIES,
            sender="311@county.example",
            link="https://311.county.example/requests/{id}",
            key=self.indexes.content_key,
            first_pause=timedelta(seconds=15),
            clock=self.clock,
            ids=TimeOrderedIds(),
        )

    async def request(
        self, record_id: str = "r-1", plain: Mapping[str, str] = PERSON, **fields: object
    ) -> ServiceRequest:
        key, data_key = await self.vault.new_key(record_id)
        await self.keys.insert([key])
        state = ServiceRequest(
            record_id=record_id,
            version=1,
            service_code="ANI-STRAY-DOG",
            received_at=NOW,
            updated_at=NOW,
            sealed={field: data_key.seal(field, text.encode()) for field, text in plain.items()},
            indexes=self.indexes.of(plain),
            index_versions=self.indexes.versions,
            index_readings=READINGS,
            place_checked=True,
            listed=True,
            policy=ev.PolicyAgreement(version="2026-1", agreed="accepted"),
        ).model_copy(update=fields)
        await self.records.commit([Write(0, state, (), NOW)])
        return state

    def state(self, record_id: str = "r-1") -> ServiceRequest:
        return self.records.documents[record_id].state

    async def put(self, after: ServiceRequest) -> None:
        """What another handler has made of a request."""
        before = self.state(after.record_id)
        after = after.model_copy(update={"version": before.version + 1})
        await self.records.commit([Write(before.version, after, (), NOW)])

    def caller(self, record_id: str = "r-1") -> Caller:
        return self.links.caller(self.signer.issue(record_id).token)

    def said(self, record_id: str = "r-1") -> list[ev.RequestUpdated]:
        found = []
        for entry in self.records.documents[record_id].outbox:
            event: Event[Model] = decode(entry.message.headers, entry.message.body)
            assert isinstance(event.data, ev.RequestUpdated)
            found.append(event.data)
        return found
