"""What a reporter does with the signed link of a request: follow it, add to it, end it.

Each step may be sent again with the same `Idempotency-Key` and is then done only once.
"""

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal

from direct311.intake.catalogue.domain.emergency import Emergencies
from direct311.intake.catalogue.domain.policy import PrivacyPolicies
from direct311.intake.catalogue.domain.types import Catalogue
from direct311.intake.fields import LONGEST_DESCRIPTION, WORDS, text_wrong
from direct311.intake.language import Language
from direct311.intake.refusals import NO_SUCH_REQUEST
from direct311.intake.request import CLOSED, Note, Notifications, ServiceRequest, Step, updated
from direct311.intake.retries import done_before
from direct311.intake.uploads.handlers import Upload
from direct311.redaction import mask_numbers, redact
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import FieldProblem, MalformedError, RefusedError
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.state import Change
from direct311.runtime.text import cleaned
from direct311.runtime.vault.vault import Vault
from direct311.schemas import events as ev

PURPOSE = "subject_access"
SEALED_COMMENTS = "comments"
"""The vault's field that holds all comments as they were typed, in JSON."""
MOST_COMMENTS = 50
MOST_FILES = 30

Kind = Literal["comment", "media", "withdrawal", "notifications"]


@dataclass(frozen=True, slots=True)
class Commented:
    """A comment that was accepted. `guidance`: what to say at once if someone's life may be in
    danger, by language; otherwise empty."""

    at: datetime
    text: str
    masked: bool
    guidance: Mapping[Language, str]


class Reporter:
    """Use cases of the reporter."""

    def __init__(
        self,
        *,
        processor: EventProcessor[ServiceRequest],
        vault: Vault,
        brought: Upload,
        catalogue: Catalogue,
        policies: PrivacyPolicies,
        emergencies: Emergencies,
        can_mail: bool,
        clock: Clock,
        ids: Ids,
        content_key: bytes,
    ) -> None:
        self._processor = processor
        self._vault = vault
        self._brought = brought
        self._catalogue = catalogue
        self._policies = policies
        self._emergencies = emergencies
        self._can_mail = can_mail
        self._clock = clock
        self._ids = ids
        self._content_key = content_key

    async def follow(self, caller: Caller, record_id: str) -> ServiceRequest:
        """The request as it is now; no sealed field is opened.

        :raises RefusedError: the caller has not come by the link of this request, it is unknown, or
            it was destroyed or is being destroyed.
        """
        must_hold(caller, record_id)

        state = await self._processor.read(record_id)
        _must_stand(state)
        return state

    async def comment(
        self, caller: Caller, record_id: str, text: str, key: str | None
    ) -> Commented:
        """Add what the reporter says: sealed as it was typed, and redacted for the department.

        :raises RefusedError: there is no text, the key was used for another step, the request has
            too many comments, or the access could not be written to the audit log; and as
            `follow`.
        """
        given = text.replace("\r\n", "\n").replace("\r", "\n").strip()
        code = text_wrong(given)
        given = "" if code else cleaned(given, lines=True)
        if code:
            detail = WORDS[code].format(field="text", most=LONGEST_DESCRIPTION)
            raise MalformedError([FieldProblem(field="text", detail=detail, code=code)])
        if not given:
            missing = FieldProblem(field="text", detail="text is required", code="missing")
            raise MalformedError([missing])
        state = await self.follow(caller, record_id)
        key_digest, content = self._digests("comment", key, given)
        typed, found = mask_numbers(given)
        shown = redact(typed).text
        danger = self._emergencies.suspected(typed)
        guidance = self._emergencies.guidance if danger else {}
        if (done := done_before(state.steps, key_digest, content)) is not None:
            return Commented(done.at, shown, bool(found), guidance)
        _must_have_room(state)
        access = Access(
            caller,
            action="correct",
            purpose=PURPOSE,
            operation="POST /v1/requests/{record_id}/comments",
            fields=(SEALED_COMMENTS,),
            record_ids=(record_id,),
            lifecycle=state.status,
            version_seen=state.version,
            notice_version=state.policy.version if state.policy else None,
        )
        facts = RecordFacts(record_id, state.assigned_department)
        step = Step(at=self._clock.now(), kind="comment", mark=key_digest, content=content)
        async with self._vault.unlock(access, facts) as data_key:

            async def add(now: ServiceRequest) -> Change[ServiceRequest] | None:
                _must_stand(now)
                if done_before(now.steps, key_digest, content) is not None:
                    return None
                _must_have_room(now)
                sealed = now.sealed.get(SEALED_COMMENTS)
                before = json.loads(data_key.open(SEALED_COMMENTS, sealed)) if sealed else []
                comments = [*before, {"at": step.at.isoformat(), "text": typed}]
                document = json.dumps(comments, ensure_ascii=False).encode()
                note = Note(at=step.at, kind="reporter", text=shown)
                fields = {**now.sealed, SEALED_COMMENTS: data_key.seal(SEALED_COMMENTS, document)}
                after = now.commented(note, fields, urgent=danger).stepped(step)
                return Change(after, (updated(now, after, "text"),))

            after = await self._processor.change(record_id, self._ids.new(), add)
        return Commented(_at(after, key_digest, content, step), shown, bool(found), guidance)

    async def add_files(
        self, caller: Caller, record_id: str, upload_ids: Sequence[str], key: str | None
    ) -> ServiceRequest:
        """Add files that were uploaded before, by their tickets.

        :raises RefusedError: a ticket is not good, the type takes no files, the key was used for
            other files, or there would be too many; and as `follow`.
        """
        state = await self.follow(caller, record_id)
        key_digest, content = self._digests("media", key, *upload_ids)
        new = _unknown(state, upload_ids)
        if done_before(state.steps, key_digest, content) is not None or not new:
            return state
        service = self._catalogue.by_code(state.service_code)
        if service is not None and service.flags.media == "none":
            raise MalformedError(
                [
                    FieldProblem(
                        field="file_ids",
                        detail="this type takes no files",
                        code="files_not_taken",
                    )
                ]
            )
        _must_have_files_left(state, new)
        # The claim belongs to the record, so that a retry may claim the files again, and no other
        # request may.
        brought = await self._brought.take(new, None, record_id, record_id)
        step = Step(at=self._clock.now(), kind="media", mark=key_digest, content=content)

        async def add(now: ServiceRequest) -> Change[ServiceRequest] | None:
            _must_stand(now)
            if done_before(now.steps, key_digest, content) is not None:
                return None
            missing = [each for each in brought if each.upload_id in _unknown(now, upload_ids)]
            if not missing:
                return None
            _must_have_files_left(now, missing)
            after = now.supplied(missing, at=step.at).stepped(step)
            return Change(after, (updated(now, after, "media"),))

        return await self._processor.change(record_id, self._ids.new(), add)

    async def withdraw(self, caller: Caller, record_id: str, key: str | None) -> ServiceRequest:
        """End the request. It stays on record; the department is told that it does not need to do
        anything.

        :raises RefusedError: it is closed already; and as `follow`.
        """
        must_hold(caller, record_id)
        key_digest, content = self._digests("withdrawal", key)
        step = Step(at=self._clock.now(), kind="withdrawal", mark=key_digest, content=content)

        async def end(now: ServiceRequest) -> Change[ServiceRequest] | None:
            _must_stand(now)
            done_before(now.steps, key_digest, content)
            if now.status == "withdrawn":
                return None
            if now.status in CLOSED:
                raise RefusedError("closed", "The request is closed already.")
            after = now.withdrawn(at=step.at).stepped(step)
            return Change(after, (updated(now, after, "withdrawal", "status"),))

        return await self._processor.change(record_id, self._ids.new(), end)

    async def notify(
        self,
        caller: Caller,
        record_id: str,
        language: Language,
        notice_version: str,
        key: str | None,
    ) -> ServiceRequest:
        """From now on, tell the reporter by e-mail when the request gets a new status.

        :raises RefusedError: the notice of section 668.6076, F.S., is not one that was served, the
            request holds no address, or nothing here sends e-mail; and as `follow`.
        """
        must_hold(caller, record_id)
        if not self._can_mail:
            raise NO_MAIL
        if notice_version not in {each.email_notice.version for each in self._policies.policies}:
            wrong = "email_notice_version must be one from GET /v1/policy"
            raise MalformedError(
                [FieldProblem(field="email_notice_version", detail=wrong, code="unknown_version")]
            )
        key_digest, content = self._digests("notifications", key, language, notice_version)
        step = Step(at=self._clock.now(), kind="notifications", mark=key_digest, content=content)

        async def begin(now: ServiceRequest) -> Change[ServiceRequest] | None:
            _must_stand(now)
            if done_before(now.steps, key_digest, content) is not None:
                return None
            if "email" not in now.sealed:
                raise RefusedError(
                    "no_email",
                    "The request has no e-mail address; add one with a correction first.",
                    field="email",
                )
            if now.notifications is not None and now.notifications.language == language:
                return None
            wanted = Notifications(language=language, since=step.at)
            return Change(now.subscribed(wanted).email_noticed(notice_version).stepped(step))

        return await self._processor.change(record_id, self._ids.new(), begin)

    async def stop_notifying(self, caller: Caller, record_id: str) -> ServiceRequest:
        """Stop telling the reporter by e-mail; waiting messages are not sent.

        :raises RefusedError: as `follow`.
        """
        must_hold(caller, record_id)

        async def end(now: ServiceRequest) -> Change[ServiceRequest] | None:
            _must_stand(now)
            if now.notifications is None and now.mail is None:
                return None
            return Change(now.unsubscribed())

        return await self._processor.change(record_id, self._ids.new(), end)

    def _digests(self, kind: Kind, key: str | None, *content: str) -> tuple[str, str]:
        if key is None:
            return "", ""
        return self._hash(key), self._hash("\x00".join((kind, *content)))

    def _hash(self, text: str) -> str:
        return hmac.digest(self._content_key, text.encode(), sha256).hex()


NO_MAIL = RefusedError("no_mail", "This service does not send e-mail at present.", retry_after=3600)


def must_hold(caller: Caller, record_id: str) -> None:
    """:raises RefusedError: the caller has not come by the link of this request."""
    if caller.link_record_id != record_id:
        raise RefusedError("signed_link", "Only the signed link of this request opens it.")


def _must_stand(state: ServiceRequest) -> None:
    if state.version == 0:
        raise NO_SUCH_REQUEST
    if state.lifecycle != "active":
        raise RefusedError("destroyed", "The request was destroyed, or is being destroyed.")


def _must_have_room(state: ServiceRequest) -> None:
    if sum(note.kind == "reporter" for note in state.notes) >= MOST_COMMENTS:
        raise RefusedError("full", f"A request may have at most {MOST_COMMENTS} comments.")


def _must_have_files_left(
    state: ServiceRequest, more: Sequence[str] | Sequence[ev.UploadRef]
) -> None:
    if len(state.uploads) + len(more) > MOST_FILES:
        raise RefusedError("full", f"A request may have at most {MOST_FILES} files.")


def _unknown(state: ServiceRequest, upload_ids: Sequence[str]) -> list[str]:
    known = {upload.upload_id for upload in state.uploads}
    return [each for each in dict.fromkeys(upload_ids) if each not in known]


def _at(state: ServiceRequest, key_digest: str, content: str, step: Step) -> datetime:
    known = done_before(state.steps, key_digest, content)
    return known.at if known else step.at
