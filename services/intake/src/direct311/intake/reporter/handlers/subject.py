"""What the signed link of a request allows: seeing what is held, and correcting it."""

import hmac
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256

from direct311.intake.fields import (
    CONTACT_LIMITS,
    LONGEST_ANSWER,
    WORDS,
    contact_wrong,
    phone_wrong,
)
from direct311.intake.indexes.domain.kinds import FIELDS, KIND_OF, KINDS
from direct311.intake.indexes.handlers.hits import Hits
from direct311.intake.indexes.ports import Home, PersonIndexes, Protections
from direct311.intake.masked import MASKED_CONTACT
from direct311.intake.refusals import NO_SUCH_REQUEST
from direct311.intake.reporter.handlers.codes import SentCodes
from direct311.intake.request import (
    READINGS,
    SENDERS,
    SUPERSEDED,
    UPDATE_CONTACTS,
    UPDATES,
    WORK_NOTES,
    Correction,
    ServiceRequest,
    updated,
)
from direct311.intake.retries import done_before
from direct311.redaction import mask_numbers
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.links import LinkKeyError, LinkSigner, SignedLink
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import FieldProblem, MalformedError, RefusedError, TransientError
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.state import Change
from direct311.runtime.text import cleaned
from direct311.runtime.vault.vault import DataKey, Vault
from direct311.schemas import events as ev

PURPOSE = "subject_access"
NAME = ("first_name", "last_name")
IDENTITY = (*NAME, "reporter_address")
"""What enforcement needs to know about a reporter (sections 125.69 and 162.06, F.S.)."""
DAY = timedelta(days=1)
MOST_A_DAY = 10
"""Corrections of one request with its link: each may show whether the registry knows a value."""

NEEDS_CODE = RefusedError(
    "email_code",
    "The request already has an e-mail address. To replace it, send the email_code that POST "
    "…/codes sends to that address, or ask a 311 agent, who will identify you first.",
    field="email_code",
)

Protect = Callable[[ServiceRequest], ServiceRequest]
"""The request, with the protection registry's present answer about it."""


@dataclass(frozen=True, slots=True)
class Held:
    """A request and its sealed fields, readable."""

    request: ServiceRequest
    fields: Mapping[str, str]


class Subject:
    """Use cases of the person whom a request is about, and of the agent who gives them the link."""

    def __init__(
        self,
        *,
        processor: EventProcessor[ServiceRequest],
        vault: Vault,
        indexes: PersonIndexes,
        home: Home,
        protections: Protections,
        protect: Protect,
        links: LinkSigner,
        sent: SentCodes,
        clock: Clock,
        ids: Ids,
        content_key: bytes,
        notices: Collection[str],
        hits: Hits | None = None,
    ) -> None:
        """`notices`: versions of the e-mail notice that were served."""
        self._hits = hits or Hits()
        self._notices = notices
        self._processor = processor
        self._vault = vault
        self._indexes = indexes
        self._home = home
        self._protections = protections
        self._protect = protect
        self._links = links
        self._sent = sent
        self._clock = clock
        self._ids = ids
        self._content_key = content_key

    async def link(self, caller: Caller, record_id: str, justification: str) -> SignedLink:
        """A link for a resident who has shown an agent in another way that the request is theirs.
        The id of the event that this writes identifies the link's uses in the access log.

        Its uses are known in the access log by the id of the event that this is.

        :raises RefusedError: it is unknown, a rule refuses, or the access could not be written to
            the audit log.
        """
        state = await self._processor.read(record_id)
        if state.version == 0 or state.lifecycle != "active":
            raise NO_SUCH_REQUEST
        access = replace(
            _access(caller, state, "disclose", "respond", "POST /v1/requests/{record_id}/link"),
            justification=justification,
            recipient="the resident, by a signed link",
        )
        event_id, _ = await self._vault.authorise(
            access, RecordFacts(record_id, state.assigned_department)
        )
        try:
            return self._links.issue(record_id, event_id)
        except LinkKeyError:
            raise RefusedError(
                "link_key",
                "Links cannot be signed until a new key is in force.",
                retry_after=300,
            ) from None

    async def held(self, caller: Caller, record_id: str) -> Held:
        """Everything that is held about a request.

        :raises RefusedError: the caller has not come by the link of this request, it is unknown, it
            was destroyed or is being destroyed, or the access could not be written to the audit
            log.
        """
        state = await self._processor.read(record_id)
        self._must_stand(caller, state)
        # Comments that others added belong to them, and departments' notes to the county.
        fields = tuple(sorted(state.sealed.keys() - {UPDATES, UPDATE_CONTACTS, WORK_NOTES}))
        access = replace(
            _access(caller, state, "view", PURPOSE, "GET /v1/requests/{record_id}/subject"),
            fields=fields,
            result_count=len(fields),
        )
        facts = RecordFacts(record_id, state.assigned_department)
        opened = await self._vault.open(access, facts, state.sealed)
        return Held(state, {field: value.decode() for field, value in opened.items()})

    async def correct(
        self,
        caller: Caller,
        record_id: str,
        values: Mapping[str, str],
        key: str | None,
        notice_version: str | None = None,
        email_code: str | None = None,
    ) -> Correction:
        """Seal new values of contact fields in place of those held; the old ones are not kept.

        A repeat with the same `key` is the same correction. The indexes and the answer of the
        protection registry are updated in the same write; what the registry protected stays
        protected. A complaint that waits for its reporter's name and address goes to work once it
        has both. With a new e-mail address, the notice that was shown for it is recorded (section
        668.6076, F.S.).

        The link is not enough to replace an e-mail address, since messages and codes go to it. That
        also takes the code that was sent to the address on record, which is then used up.

        :raises RefusedError: a value cannot be one, an e-mail address came without
            `notice_version`, the notice was not served, an e-mail address would replace another
            without its code, the key was used for other values, or there were too many in a day;
            and as `held`.
        """
        given = _checked(values)
        self._must_be_shown(given, notice_version)
        state = await self._processor.read(record_id)
        self._must_stand(caller, state)
        key_digest, content = self._digests(key, given)
        nonce = None
        if caller.link_record_id == record_id:
            if (done := done_before(state.corrections, key_digest, content)) is not None:
                return done
            self._must_be_few(state)
            _must_be_held(state, given)
            if "email" in given and "email" in state.sealed:
                if email_code is None:
                    raise NEEDS_CODE
                nonce = await self._sent.check(state, email_code)
        operation = "POST /v1/requests/{record_id}/corrections"
        access = _access(caller, state, "correct", PURPOSE, operation)
        return await self._corrected(
            state, access, given, (key_digest, content), notice_version, nonce
        )

    async def replace_email(
        self,
        caller: Caller,
        record_id: str,
        email: str,
        justification: str,
        key: str | None,
        notice_version: str | None,
    ) -> Correction:
        """The same for an e-mail address that is given to an agent by somebody who has lost the
        mailbox. The agent has identified the person, as `justification` says.

        :raises RefusedError: an address or a notice as `correct`; it is unknown or being destroyed,
            a rule refuses, the key was used for another, or the access could not be written to the
            audit log.
        """
        given = _checked({"email": email})
        self._must_be_shown(given, notice_version)
        state = await self._processor.read(record_id)
        if state.version == 0 or state.lifecycle != "active":
            raise NO_SUCH_REQUEST
        # The agent's own key: the same key from a resident is a different one.
        digests = self._digests(key and f"agent\x00{key}", given)
        if (done := done_before(state.corrections, *digests)) is not None:
            return done
        access = replace(
            _access(caller, state, "correct", "respond", "POST /v1/requests/{record_id}/email"),
            justification=justification,
        )
        return await self._corrected(state, access, given, digests, notice_version, None)

    async def _corrected(
        self,
        state: ServiceRequest,
        access: Access,
        given: Mapping[str, str],
        digests: tuple[str, str],
        notice_version: str | None,
        nonce: str | None,
    ) -> Correction:
        """`nonce`: of the code that this uses up."""
        record_id = state.record_id
        opened = self._opened(state, given)
        access = replace(access, fields=tuple(sorted({*given, *opened})))
        facts = RecordFacts(record_id, state.assigned_department)
        correction = Correction(
            at=self._clock.now(), fields=tuple(sorted(given)), mark=digests[0], content=digests[1]
        )
        async with self._vault.unlock(access, facts) as data_key:
            if nonce is not None:
                await self._sent.use_up(record_id, nonce)

            async def amend(now: ServiceRequest) -> Change[ServiceRequest] | None:
                # It may have changed since it was read.
                self._must_stand(access.caller, now)
                if done_before(now.corrections, *digests) is not None:
                    return None
                if access.caller.link_record_id == record_id:
                    self._must_be_few(now)
                _must_be_held(now, given)
                if "email" in given and now.sealed.get("email") != state.sealed.get("email"):
                    raise TransientError("the address was replaced since it was looked at")
                if not set(self._opened(now, given)) <= set(opened):
                    raise TransientError("what must be opened changed since it was written down")
                if "email" in given and now.policy is not None:
                    now = now.email_noticed(notice_version)
                return await self._amended(now, given, data_key, correction)

            after = await self._processor.change(record_id, self._ids.new(), amend)
        return done_before(after.corrections, *digests) or correction

    async def _amended(
        self,
        state: ServiceRequest,
        given: Mapping[str, str],
        data_key: DataKey,
        correction: Correction,
    ) -> Change[ServiceRequest]:
        read = {
            field: data_key.open(field, state.sealed[field]).decode()
            for field in self._opened(state, given)
        }
        plain = {**read, **given}
        fresh = self._indexes.of(plain)
        changed = {KIND_OF[field] for field in given}
        renewed = set(KINDS) if self._is_behind(state) else changed
        settled, unread_at = True, state.home_unread_at
        if "home" in renewed and plain.get("reporter_address"):
            home = await self._home(plain["reporter_address"])
            fresh["home"], settled = home.values, home.settled
            if settled:
                unread_at = None
            elif "home" in changed:
                unread_at = correction.at
            else:
                # What geo said about it earlier is better than how it was typed.
                renewed.discard("home")
        indexes = {kind: found for kind, found in state.indexes.items() if kind not in renewed}
        indexes |= {kind: fresh[kind] for kind in KINDS if kind in renewed and kind in fresh}
        replaced = {value for kind in renewed for value in state.indexes.get(kind, ())}
        replaced -= {value for kind in renewed for value in indexes.get(kind, ())}
        if protecting := {value for value in replaced if self._protections.matches((value,))}:
            indexes[SUPERSEDED] = tuple(sorted({*state.indexes.get(SUPERSEDED, ()), *protecting}))
        sealed = {
            **state.sealed,
            **{field: data_key.seal(field, value.encode()) for field, value in given.items()},
        }
        # Index values of the senders of comments are left to `reindex`: what others sent is not
        # opened here.
        versions, readings = self._indexes.versions, READINGS
        if SENDERS in state.indexes:
            versions, readings = state.index_versions, state.index_readings
        if not settled:
            versions = ()
        lifted = state.status == "identity_required" and sealed.keys() >= set(IDENTITY)
        after = self._protect(
            (state.released() if lifted else state).corrected(
                correction,
                sealed=sealed,
                indexes=indexes,
                index_versions=versions,
                index_readings=readings,
                home_unread_at=unread_at,
            )
        )
        if after.protected and not state.protected:
            self._hits.note(state.client_id, correction.at)
        said: list[ev.RequestChange] = ["status"] if lifted else []
        if after.protected != state.protected and state.place_checked:
            said.append("place_checked")
        if not said:
            return Change(after)
        after = after.changed(at=correction.at)
        return Change(after, (updated(state, after, *said),))

    def _opened(self, state: ServiceRequest, given: Mapping[str, str]) -> tuple[str, ...]:
        """What must be opened beside the new values to index them. A name is indexed as a whole;
        and if the index keys or rules have changed, everything is indexed again."""
        wanted: tuple[str, ...] = ()
        if given.keys() & set(FIELDS) and self._is_behind(state):
            wanted = FIELDS
        elif given.keys() & set(NAME):
            wanted = NAME
        return tuple(field for field in wanted if field not in given and field in state.sealed)

    def _is_behind(self, state: ServiceRequest) -> bool:
        made_by = (state.index_versions, state.index_readings)
        return made_by != (self._indexes.versions, READINGS)

    def _must_be_shown(self, given: Mapping[str, str], notice_version: str | None) -> None:
        if notice_version is None and "email" not in given:
            return
        if notice_version not in self._notices:
            detail = (
                "email_notice_version must be one from GET /v1/policy, and is required with an "
                "e-mail address: show the notice first (section 668.6076, F.S.)"
            )
            code = "notice_required" if notice_version is None else "unknown_version"
            raise MalformedError(
                [FieldProblem(field="email_notice_version", detail=detail, code=code)]
            )

    def _must_stand(self, caller: Caller, state: ServiceRequest) -> None:
        """Tell only the holder of the link that the request is gone. The rules refuse everyone
        else, whether the request exists or not."""
        if caller.link_record_id != state.record_id:
            return
        if state.version == 0:
            raise NO_SUCH_REQUEST
        if state.lifecycle != "active":
            raise RefusedError("destroyed", "The request was destroyed, or is being destroyed.")

    def _must_be_few(self, state: ServiceRequest) -> None:
        now = self._clock.now()
        lately = [each.at for each in state.corrections if now - each.at < DAY]
        if len(lately) >= MOST_A_DAY:
            raise RefusedError(
                "too_often",
                f"A request may be corrected at most {MOST_A_DAY} times a day.",
                retry_after=int((lately[-MOST_A_DAY] + DAY - now).total_seconds()) + 1,
            )

    def _digests(self, key: str | None, given: Mapping[str, str]) -> tuple[str, str]:
        """Keyed hashes of the retry's key, which some clients make from an e-mail address, and of
        the values sent under it; empty if there is no key."""
        if key is None:
            return "", ""
        content = json.dumps([key, given], sort_keys=True, ensure_ascii=False)
        return self._hash(key), self._hash(content)

    def _hash(self, text: str) -> str:
        return hmac.digest(self._content_key, text.encode(), sha256).hex()


def _checked(values: Mapping[str, str]) -> dict[str, str]:
    given = {field: value.strip() for field, value in values.items()}
    if not given:
        detail = "Give at least one new value."
        raise MalformedError([FieldProblem(field="phone", detail=detail, code="missing")])
    problems = [wrong for each in given.items() if (wrong := _wrong(*each)) is not None]
    if problems:
        raise MalformedError(problems)
    return {field: cleaned(value) for field, value in given.items()}


def _wrong(field: str, value: str) -> FieldProblem | None:
    """What is wrong with a new value."""
    code = contact_wrong(field, value)
    if code is None and field == "phone":
        code = phone_wrong(value)
    if code is not None:
        most = CONTACT_LIMITS.get(field, LONGEST_ANSWER)
        detail = WORDS[code].format(field=field, most=most)
        return FieldProblem(field=field, detail=detail, code=code)
    if field in MASKED_CONTACT and mask_numbers(value)[1]:
        detail = f"{field} must not contain a card, bank or social-security number."
        return FieldProblem(field=field, detail=detail, code="number_not_kept")
    return None


def _must_be_held(state: ServiceRequest, given: Mapping[str, str]) -> None:
    held = state.status == "identity_required" or "reporter_address" in state.sealed
    if "reporter_address" in given and not held:
        raise RefusedError(
            "not_held",
            "The request has no address of the reporter.",
            field="reporter_address",
        )


def _access(
    caller: Caller, state: ServiceRequest, action: ev.AccessAction, purpose: str, operation: str
) -> Access:
    return Access(
        caller,
        action=action,
        purpose=purpose,
        operation=operation,
        record_ids=(state.record_id,),
        lifecycle=state.status,
        version_seen=state.version,
        notice_version=state.policy.version if state.policy else None,
    )
