"""A submission becomes a request: checked, redacted, sealed, stored once, answered."""

import asyncio
import dataclasses
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from direct311.intake.catalogue.domain.emergency import Emergencies
from direct311.intake.catalogue.domain.policy import PolicyVersion
from direct311.intake.catalogue.domain.types import Delivery, ServiceType
from direct311.intake.clients.domain.clients import Client
from direct311.intake.indexes.handlers.hits import Hits
from direct311.intake.indexes.ports import Home, PersonIndexes, Protections
from direct311.intake.language import Language
from direct311.intake.masked import MASKED_CONTACT
from direct311.intake.request import (
    READINGS,
    CallTaken,
    ServiceRequest,
    SuspicionFlag,
    created,
)
from direct311.intake.retries import unguessable
from direct311.intake.submission.domain.identity import accepted_status
from direct311.intake.submission.domain.submission import Submission
from direct311.intake.submission.handlers.bursts import Bursts
from direct311.intake.submission.handlers.gateway_load import GatewayLoad
from direct311.intake.submission.handlers.key_pool import KeyPool
from direct311.intake.submission.ports import Recent, Submissions
from direct311.intake.uploads.handlers import Upload
from direct311.intake.uploads.ports import File, Uploads
from direct311.redaction import mask_numbers, redact, redact_place
from direct311.runtime.busy_file import BusyFile
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.messaging.records import IN_HAND_GRACE, Emitter, Relaying, Write
from direct311.schemas import events as ev

REPEAT_WINDOW = timedelta(days=1)
TOKEN_BYTES = 20
IMAGE_WINDOW = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to a submission.

    `repeat`: the same submission was accepted before. Then everything else is as it was first
    answered, and nothing shows what has happened to the request since. `opens`: the answer may
    contain what opens the request; the answer to a repeat rarely may. `token`: finds the number of
    a batch request; set only for a batch request, and only if `opens`. `guidance`: what to say at
    once if someone's life may be in danger, by language; otherwise empty.
    """

    record_id: str
    status: ev.RequestStatus
    repeat: bool
    masked: bool
    policy_version: str
    agreed: Literal["accepted", "by_use"]
    opens: bool = False
    delivery: Delivery = "realtime"
    token: str | None = None
    guidance: Mapping[Language, str] = dataclasses.field(default_factory=dict)

    @property
    def public_id(self) -> str | None:
        """The request's number, if the answer to a submission may contain it."""
        return self.record_id if self.delivery == "realtime" else None


@dataclass(frozen=True, slots=True)
class Desk:
    """Staff who take a submission for somebody else. `call` stays with the request. `write_down`
    is told the request's id and the names of the fields that will be sealed, before anything is
    stored; if it raises, nothing is stored."""

    call: CallTaken
    write_down: Callable[[str, tuple[str, ...]], Awaitable[None]]


class Submit:
    """The use case behind `POST /requests`."""

    def __init__(
        self,
        *,
        submissions: Submissions,
        recent: Recent,
        uploads: Uploads,
        brought: Upload,
        emergencies: Emergencies,
        protections: Protections,
        indexes: PersonIndexes,
        home: Home,
        keys: KeyPool,
        emitter: Emitter,
        relay: Relaying,
        clock: Clock,
        content_key: bytes,
        hits: Hits | None = None,
        busy_file: BusyFile | None = None,
    ) -> None:
        self._submissions = submissions
        self._recent = recent
        self._uploads = uploads
        self._brought = brought
        self._emergencies = emergencies
        self._protections = protections
        self._indexes = indexes
        self._home = home
        self._keys = keys
        self._emitter = emitter
        self._relay = relay
        self._clock = clock
        self._content_key = content_key
        self._load = GatewayLoad(busy_file or BusyFile(None))
        self._bursts = Bursts()
        self._hits = hits or Hits()

    @property
    def busy(self) -> bool:
        """Whether many submissions have been waiting for their answer recently."""
        return self._load.busy

    async def __call__(
        self,
        submission: Submission,
        files: Sequence[File],
        client: Client,
        service: ServiceType,
        policy: PolicyVersion,
        idempotency_key: str | None,
        source: str = "",
        desk: Desk | None = None,
    ) -> Accepted:
        """Store the request once, however often it is sent.

        `source`: the address that it came from. Without a key, the same content is a retry only if
        it comes from the same address. `desk`: the staff who take it, if they do.
        :raises RefusedError: the key was used for other content, a file that the submission names
            was not uploaded, or what `desk` must write down could not be written.
        :raises TransientError: the database, the store or the media service did not accept it;
            nothing is left half stored.
        """
        self._load.add(1)
        try:
            return await self._accept(
                submission, files, client, service, policy, idempotency_key, source, desk
            )
        finally:
            self._load.add(-1)

    async def _accept(
        self,
        submission: Submission,
        files: Sequence[File],
        client: Client,
        service: ServiceType,
        policy: PolicyVersion,
        idempotency_key: str | None,
        source: str,
        desk: Desk | None,
    ) -> Accepted:
        now = self._clock.now()
        # A large file takes tens of milliseconds, during which nobody else would be answered.
        digests = await asyncio.to_thread(_digests, files) if files else ()
        fingerprint = self._fingerprint(submission, digests)
        given = idempotency_key or submission.client_request_id
        sent = self._sent(fingerprint, source)
        key = self._key(client, given, sent, now)
        known = None
        if not given and client.retries_without_key:
            since = now - REPEAT_WINDOW
            # Only the sender's own keys count. The same words from another client or another
            # address are another person's request; otherwise anyone could test a guess about what
            # somebody reported.
            keys = [_key_of_day(client, sent, at) for at in (since, now)]
            known = await self._submissions.first_under(keys, since)
        elif key is not None and (files or submission.uploads or desk is not None):
            # A repeat with files would cost uploads, and one by staff an entry of the log about a
            # request that is not stored. For others the unique key is enough.
            known = await self._submissions.by_idempotency(key)
        if known is not None:
            return self._again(known, fingerprint, submission, service, now)
        like = self._recent.first(fingerprint, now - REPEAT_WINDOW)
        # Keys whose record is never stored are swept.
        record_id, data_key = self._keys.at_hand() or await self._keys.make()
        uploads: Sequence[ev.UploadRef] = ()
        if submission.uploads:
            # The claim of a keyed submission belongs to its key, so that a retry may claim the
            # files again.
            uploads = await self._brought.take(
                submission.uploads, client.client_id, key or record_id, record_id
            )
            digests = [bytes.fromhex(upload.sha256) for upload in uploads]
        images = tuple(hmac.digest(self._content_key, each, sha256).hex() for each in digests)
        same_image = (
            await self._submissions.with_image(images, now - IMAGE_WINDOW) if images else None
        )
        if files:
            uploads = await self._uploads.put(files)
        plain, place, masked = taken_in(submission)
        sealed = {
            field: data_key.seal(field, value.encode()) for field, value in plain.items() if value
        }
        indexes = self._indexes.of(plain)
        versions = self._indexes.versions
        unread_at = None
        if plain.get("reporter_address"):
            home = await self._home(plain["reporter_address"])
            indexes["home"] = home.values
            if not home.settled:
                versions, unread_at = (), now
        hashes = [value for values in indexes.values() for value in values]
        if desk is not None:
            await desk.write_down(record_id, tuple(sorted(sealed)))
        flags: list[SuspicionFlag] = ["repeat_content"] if like is not None else []
        if same_image is not None:
            flags.append("repeat_image")
        if self._bursts.note(client.client_id, submission, indexes, now):
            flags.append("burst")
        accepted = submission.policy_version == policy.version
        status = accepted_status(service, plain)
        danger = self._danger(submission, service)
        request = ServiceRequest(
            record_id=record_id,
            version=1,
            client_id=client.client_id,
            idempotency=key,
            retry_opens=idempotency_key is not None and unguessable(idempotency_key),
            fingerprint=fingerprint,
            jurisdiction_id=submission.jurisdiction_id,
            service_code=service.service_code,
            received_at=now,
            updated_at=now,
            channel=client.channel,
            status=status,
            held_because="name_and_address" if status == "identity_required" else None,
            place=place,
            text=redact(plain.get("description", "")).text,
            attributes=_redacted(submission.attributes),
            sealed=sealed,
            indexes=indexes,
            index_versions=versions,
            index_readings=READINGS,
            home_unread_at=unread_at,
            uploads=tuple(uploads),
            policy=ev.PolicyAgreement(
                version=policy.version,
                agreed="accepted" if accepted else "by_use",
                email_notice_version=submission.email_notice_version,
            ),
            registry_version=self._protections.version,
            protected=self._protections.matches(hashes) or unread_at is not None,
            likely_repeat_of=like or same_image,
            images=images or None,
            marks=tuple(flags),
            marked_at=now if flags else None,
            delivery=service.type,
            token=self._token(record_id) if service.type == "batch" else None,
            emergency_assistance=danger,
            contact_by=submission.contact_by,
            call=desk.call if desk is not None else None,
        )
        entries = self._emitter.entries(record_id, record_id, (created(request),), None)
        write = Write(0, request, entries, now + IN_HAND_GRACE)
        # If this fails, the request may still have been stored, so its files stay where they are.
        outcome = await self._submissions.insert(write)
        if outcome == "repeat" and files:
            await self._uploads.withdraw(uploads)
        if outcome == "repeat":
            known = await self._submissions.by_idempotency(key) if key is not None else None
            if known is None:
                raise TransientError("the request that had this key has just gone")
            return self._again(known, fingerprint, submission, service, now)
        if request.protected:
            self._hits.note(client.client_id, now)
        self._relay.offer(record_id, entries)
        self._recent.note(fingerprint, record_id, now)
        return Accepted(
            record_id,
            request.status,
            repeat=False,
            masked=masked,
            policy_version=policy.version,
            agreed="accepted" if accepted else "by_use",
            opens=True,
            delivery=request.delivery,
            token=request.token,
            guidance=self._guidance(danger),
        )

    def _danger(self, submission: Submission, service: ServiceType) -> bool:
        return service.flags.emergency_hint or self._emergencies.suspected(
            submission.description,
            *(value for values in submission.attributes.values() for value in values),
        )

    def _guidance(self, danger: bool) -> Mapping[Language, str]:
        return self._emergencies.guidance if danger else {}

    def _key(self, client: Client, given: str | None, sent: str, now: datetime) -> str | None:
        """What must be unique among all requests. A client that cannot send keys gets one made from
        the content, the sender's address and the day. A repeat after midnight is found by the
        previous day's key."""
        if given:
            # Some clients make their keys from the reporter's e-mail address, so we store a keyed
            # hash.
            digest = hmac.digest(self._content_key, given.encode(), sha256).hex()
            return f"{client.client_id}:{digest}"
        if client.retries_without_key:
            return _key_of_day(client, sent, now)
        return None

    def _again(
        self,
        known: ServiceRequest,
        fingerprint: str,
        submission: Submission,
        service: ServiceType,
        now: datetime,
    ) -> Accepted:
        """The answer to whoever sends a request's content again. That may be somebody else, because
        the content can be read in public or seen by others. So the answer is made only from the
        content and from how it was accepted."""
        if known.fingerprint != fingerprint:
            raise RefusedError(
                "idempotency_key",
                "This key was used for another submission; send a new key.",
                field="idempotency_key",
            )
        plain, _, masked = taken_in(submission)
        opens = known.opens_again(now, REPEAT_WINDOW)
        return Accepted(
            known.record_id,
            accepted_status(service, plain),
            repeat=True,
            masked=masked,
            policy_version=known.policy.version if known.policy else "",
            agreed=known.policy.agreed if known.policy else "by_use",
            opens=opens,
            delivery=known.delivery,
            token=known.token if opens else None,
            guidance=self._guidance(self._danger(submission, service)),
        )

    def _token(self, record_id: str) -> str:
        """An id that says nothing about the record and that nobody else can derive from the
        record's id."""
        made = hmac.digest(self._content_key, b"token:" + record_id.encode(), sha256)
        return made[:TOKEN_BYTES].hex()

    def _sent(self, fingerprint: str, source: str) -> str:
        """A keyed hash of the content and the address that it came from; it reveals neither."""
        content = f"sent:{fingerprint}:{source}".encode()
        return hmac.digest(self._content_key, content, sha256).hex()

    def _fingerprint(self, submission: Submission, files: Sequence[bytes]) -> str:
        content = b"".join((submission.canonical(), *files))
        return hmac.digest(self._content_key, content, sha256).hex()


def _key_of_day(client: Client, sent: str, at: datetime) -> str:
    """The key of what the client sends from an address on this day (UTC)."""
    return f"{client.client_id}:{sent}:{at.date().isoformat()}"


def _digests(files: Sequence[File]) -> Sequence[bytes]:
    return [sha256(file.body).digest() for file in files]


def taken_in(submission: Submission) -> tuple[dict[str, str], ev.Place, bool]:
    """What will be sealed and the place, both with card, bank and social-security numbers masked,
    and whether there were any. The place is public, so other text that is not part of a place is
    removed too; a place id with any such number has already been refused."""
    masked = False

    def mask(text: str) -> str:
        nonlocal masked
        clean, found = mask_numbers(text)
        masked = masked or bool(found)
        return clean

    plain = dict(submission.contact) | dict(submission.sealed_answers)
    for field in MASKED_CONTACT:
        if field in plain:
            plain[field] = mask(plain[field])
    if submission.description:
        plain["description"] = mask(submission.description)
    if submission.attributes:
        answers = {
            code: [mask(value) for value in values]
            for code, values in submission.attributes.items()
        }
        plain["attributes"] = json.dumps(answers, ensure_ascii=False)
    if submission.media_urls:
        plain["media_url"] = json.dumps(submission.media_urls)
    place = submission.place
    if place.address:
        place = place.addressed(redact_place(mask(place.address)).text)
    return plain, place, masked


def _redacted(answers: Mapping[str, tuple[str, ...]]) -> tuple[ev.AttributeValue, ...]:
    return tuple(
        ev.AttributeValue(code=code, values=tuple(redact(value).text for value in values))
        for code, values in answers.items()
    )
