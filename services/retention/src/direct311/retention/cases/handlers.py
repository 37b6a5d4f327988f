"""The use cases of the case desk: open a case, read it, add and read documents, withdraw, destroy.

Everything that a requester or an agency wrote is sealed under the case's own key. To read it is an
access: the rules decide, and its event is in the log before anything is opened. That applies to the
desk too, whose reference is the number of the case.
"""

import hmac
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256 as sha256_of
from typing import Any, Final

from direct311.retention.acts import (
    PURPOSE,
    SERVICE,
    agent,
    provisional_ended,
    provisional_placed,
)
from direct311.retention.case_file.legal import LegalProcess
from direct311.retention.cases.domain import (
    CONTACT,
    MOST_DOCUMENTS,
    REQUEST,
    CaseContact,
    CaseDocument,
    CaseFile,
    CaseKind,
    CaseOutcome,
    CaseState,
    CaseStep,
    DocumentKind,
    GrantEnd,
    PublicReceipt,
    Reopening,
)
from direct311.retention.cases.ports import Cases, Preserving, SealedDocuments, Shelf
from direct311.retention.cases.work import CaseWork, Changed, check_open, noting
from direct311.retention.holds.domain import Bounds, ProvisionalHold
from direct311.runtime.access.cases import AccessCase
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.disposition import Destroyed
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.records import EventProcessor, Handler, hold_handlers
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.runtime.storage.objects import MissingObjectError
from direct311.runtime.vault.vault import DataKey
from direct311.schemas import Event, derived_id
from direct311.schemas.model import Model

TAKE_OVER: Final = "take over the key of a case whose opening was killed"


@dataclass(frozen=True, slots=True)
class OpenedCase:
    """A case with what its requester wrote."""

    file: CaseFile
    request: str
    contact: CaseContact | None


class CaseDesk:
    """:param wake: called when the inventory has something to learn.
    :param denied: whether the denial of what was asked for was approved.
    """

    def __init__(
        self,
        work: CaseWork,
        cases: Cases,
        documents: SealedDocuments,
        wake: Callable[[], None],
        preserving: Preserving,
        filing: "Filing",
    ) -> None:
        self._work = work
        self._cases = cases
        self._documents = documents
        self._wake = wake
        self._preserving = preserving
        self._filing = filing

    async def open_case(
        self,
        caller: Caller,
        kind: CaseKind,
        request: str,
        contact: CaseContact | None,
        received_at: datetime | None,
        *,
        public_receipt: PublicReceipt | None = None,
        bounds: Bounds | None = None,
        legal: LegalProcess | None = None,
        case_id: str | None = None,
        documents: Sequence[tuple[DocumentKind, bytes]] = (),
    ) -> CaseFile:
        """Open a case for what somebody asked for. From the write on that receives it, it stops the
        destruction of records.

        :param received_at: when it was received, if that was earlier than now.
        :param public_receipt: the requester submitted it at the gateway, so no desk has to. If a
            case with the same mark was opened meanwhile, that one is returned.
        :param bounds: within what it stops destruction; without them, it stops all.
        :param legal: the county reports by itself, so no desk has to open it.
        :param case_id: of a call that may be repeated; the case that has it is opened once.
        :raises RefusedError: another desk keeps cases of this kind, the time is in the future, or
            the case with this number was destroyed.
        :param documents: what came with it; sealed, and in the file from the same write on.
        :raises MalformedError: the bounds name what no record has.
        :raises AuditUnavailableError: the key of an earlier call that was killed could not be taken
            over, as that could not be recorded.
        """
        rules = self._work.rules.of(kind)
        if public_receipt is None and legal is None and not {*rules.desks} & {*caller.roles}:
            raise RefusedError("desk", "Another desk keeps cases of this kind.", field="kind")
        now = self._work.clock.now()
        received_at = received_at or now
        if received_at > now:
            raise RefusedError(
                "received_at", "received_at must not be in the future.", field="received_at"
            )
        await self._preserving.check(bounds)
        case_id = case_id or self._work.ids.new()
        key = await self._new_key(case_id, rules.exempt_until(now))
        if key is None:
            return await self.reached(case_id)
        sealed = {REQUEST: key.seal(REQUEST, request.encode())}
        if contact is not None and (said := contact.model_dump(exclude_none=True)):
            sealed[CONTACT] = key.seal(CONTACT, json.dumps(said).encode())

        kept = [(_came_with(kind, body, caller.sub, now), body) for kind, body in documents]
        for document, content in kept:
            # In the store before the case names it. What a killed call leaves there is ciphertext
            # whose key is forgotten after a day.
            ciphertext = key.seal(document.sealed_name, content)
            await self._documents.put(case_id, document.sha256, ciphertext)
        before: CaseFile | None = None

        async def decide(state: CaseFile) -> Changed:
            nonlocal before
            if state.version:
                # Another call with the same number wrote it since its key was looked for.
                return None
            if public_receipt is not None:
                before = await self._cases.submitted(public_receipt.mark)
                if before is not None:
                    return None
            after = state.opened(
                kind=kind,
                received_at=received_at,
                opened_by=caller.sub,
                # Not from the receipt: what came long ago is secret now too.
                exempt_until=rules.exempt_until(now),
                sealed=sealed,
                provisional=ProvisionalHold(placed_at=now, bounds=bounds),
                public_receipt=public_receipt,
                legal=legal,
                documents=tuple(document for document, _ in kept),
            )
            # A case that the county opens by itself has no call-back that would say so.
            codes = (legal.instrument,) if legal is not None and legal.instrument else ()
            step = after.recorded(rules, step="opened", actor=caller.sub, at=now, codes=codes)
            placed = provisional_placed(agent(caller), now, case_id, bounds, 1)
            return Change(after, (Outgoing(step), *placed))

        await self._work.processor.change(case_id, case_id, noting(decide))
        self._wake()
        if before is not None:
            # The same submission was opened meanwhile, with its own documents.
            if kept:
                await self._documents.remove_all(case_id)
            return await self.reached(before.record_id)
        return await self.reached(case_id)

    async def _new_key(self, case_id: str, exempt_until: datetime | None) -> DataKey | None:
        """The key of a case that is about to be opened; `None` if it is there already.

        The key is durable before anything that it sealed is. A call that was killed in between has
        left a key that has sealed nothing. The call that repeats it takes this key over and never
        replaces it, as the first call may be only slow. To take it over is an access that opens no
        field. A key under a new number is repeated by nobody, and is forgotten after a day.
        """
        wrapped, key = await self._work.vault.new_key(case_id)
        if not await self._work.vault.keys.insert([wrapped]):
            return key
        state = await self._work.processor.read(case_id)
        if state.exists:
            return None
        if state.version:
            raise RefusedError(
                "idempotency_key",
                "The case of this key was destroyed; send a new key.",
                field="idempotency_key",
            )
        access = Access(
            SERVICE,
            action="seal",
            purpose=PURPOSE,
            operation=TAKE_OVER,
            record_ids=(case_id,),
            case=AccessCase(case_id, exempt_until),
        )
        async with self._work.vault.unlock(access, RecordFacts(case_id)) as found:
            return found

    async def reached(self, case_id: str) -> CaseFile:
        """The case, once everybody who orders destruction knows of it."""
        return await self._preserving.opened(case_id)

    async def list_cases(self, caller: Caller, after: str | None, limit: int) -> Sequence[CaseFile]:
        """The cases at the caller's desk, by number. Opens nothing."""
        return await self._cases.page(self._work.rules.kinds_at(caller.roles), after, limit)

    async def read_case(self, caller: Caller, case_id: str) -> OpenedCase:
        """A case with its sealed text.

        :raises RefusedError: the caller's desk has no such case.
        :raises DeniedError: the rules refuse.
        :raises AuditUnavailableError: it could not be recorded; nothing was opened.
        """
        state = await self._work.found(caller, case_id)
        fields = tuple(each for each in (REQUEST, CONTACT) if each in state.sealed)
        sealed = {each: state.sealed[each] for each in fields}
        texts = await self._work.open(caller, state, "GET /v1/cases/{case_id}", sealed)
        contact = texts.get(CONTACT)
        return OpenedCase(
            state,
            texts[REQUEST].decode(),
            CaseContact.model_validate_json(contact) if contact is not None else None,
        )

    async def deposit(
        self, caller: Caller, case_id: str, kind: DocumentKind, sha256: str, content: bytes
    ) -> CaseFile:
        """Seal a letter or an instrument into a case file; may be repeated.

        :param sha256: of the content (hex).
        :raises RefusedError: the caller's desk has no such case, it is closed or full, it takes no
            such documents, or the content has another hash.
        """
        state = await self._work.found(caller, case_id)
        document = self._document(caller, state, kind, sha256, content)
        if state.document(sha256) is not None:
            return state
        operation = "PUT /v1/cases/{case_id}/documents/{sha256}"
        fields = (document.field,)
        async with self._work.unlock(caller, state, "seal", operation, fields) as key:
            sealed = key.seal(document.sealed_name, content)
        await self._documents.put(case_id, sha256, sealed)

        async def decide(current: CaseFile) -> Changed:
            self._check_room(current)
            if current.document(sha256) is not None:
                return None
            after = current.deposited(document)
            step = after.recorded(
                self._work.rules_of(after),
                step="document_added",
                actor=caller.sub,
                at=document.added_at,
                codes=(kind,),
            )
            return Change(after, (Outgoing(step),))

        return await self._work.change(case_id, decide)

    async def read_document(self, caller: Caller, case_id: str, sha256: str) -> bytes:
        """A letter or an instrument, as it came.

        :raises RefusedError: the caller's desk has no such case, or the case no such document.
        :raises DeniedError: the rules refuse.
        :raises AuditUnavailableError: it could not be recorded; nothing was opened.
        """
        state = await self._work.found(caller, case_id)
        document = state.document(sha256)
        if document is None:
            raise RefusedError("not_found", "This case has no such document.")
        operation = "GET /v1/cases/{case_id}/documents/{sha256}"
        try:
            # This is ciphertext. It is fetched first, so that nothing can fail after the access was
            # recorded.
            sealed = await self._documents.get(case_id, sha256)
        except MissingObjectError:
            raise RefusedError("not_readable", "The document no longer exists.") from None
        fields = (document.field,)
        async with self._work.unlock(caller, state, "view", operation, fields) as key:
            return key.open(document.sealed_name, sealed)

    async def withdraw(self, caller: Caller, case_id: str) -> CaseFile:
        """Close a case because its requester took the request back; may be repeated."""
        return await self.close(caller, case_id, "withdrawn")

    async def close(self, caller: Caller, case_id: str, outcome: CaseOutcome) -> CaseFile:
        """Close a case; may be repeated. Its grants end in the same write.

        :raises RefusedError: the caller's desk has no such case, it was closed otherwise, or it may
            not be closed with this outcome now.
        """
        await self._work.found(caller, case_id)

        async def decide(state: CaseFile) -> Changed:
            if state.state == "closed" and state.outcome == outcome:
                return None
            check_open(state)
            if state.legal is not None and state.legal.awaits_follow_up:
                raise RefusedError("follow_up", "An instrument must still follow what was opened.")
            if outcome == "no_records" and not state.searches.searches:
                raise RefusedError("no_search", "Write down first where you have searched.")
            if outcome == "unclear" and not state.correspondence.waits_for_an_answer:
                raise RefusedError("answered", "The requester has answered every question.")
            if outcome == "denied":
                raise RefusedError("not_denied", "The last approval of a denial closes the case.")
            return self._closed(state, caller, outcome, self._work.clock.now())

        found = await self._work.change(case_id, decide)
        self._wake()
        return found

    async def reopen(
        self, caller: Caller, case_id: str, reason: str, bounds: Bounds | None = None
    ) -> CaseFile:
        """Open a closed case again, at its scope. From the write on that opens it, it stops
        destruction as a new case does; may be repeated.

        The inventory is told first, as nobody may order the destruction of an open case's file.

        :param reason: a code.
        :param bounds: within what it stops destruction; without them, within its earlier ones.
        :raises RefusedError: the caller's desk has no such case, it is not closed, or the
            destruction of its file was ordered.
        :raises MalformedError: the bounds name what no record has.
        """
        state = await self._work.found(caller, case_id)
        self._work.records_case(state)
        again = await self._preserving.bounds_again(state, bounds)

        async def decide(state: CaseFile) -> Changed:
            last = next(reversed(state.reopenings), None)
            if state.state != "closed" and last and (last.by, last.reason) == (caller.sub, reason):
                return None
            if not state.exists or state.state != "closed":
                raise RefusedError("case_state", "Only a closed case can be opened again.")
            if state.reopening is not None:
                return None
            now = self._work.clock.now()
            asked = Reopening(asked_as=agent(caller), at=now, reason=reason, bounds=again)
            return Change(state.asked_to_reopen(asked))

        asked = await self._work.change(case_id, decide)
        if asked.reopening is not None:
            after = await self._filing.file(asked)
            if not after.exists or after.state == "closed":
                raise RefusedError("ordered", "The destruction of the case file was ordered.")
        return await self.reached(case_id)

    def _closed(
        self, state: CaseFile, by: Caller, outcome: CaseOutcome, at: datetime
    ) -> Change[CaseFile]:
        """The case closed, and the events that say so, end its grants and what it stopped."""
        rules = self._work.rules_of(state)
        end = GrantEnd(reason="case_closed", revoked_by=by.sub, revoked_at=at)
        after, in_force = state.ended(outcome, at).without_grants(end)
        step = after.recorded(rules, step="closed", actor=by.sub, at=at, codes=(outcome,))
        ends = [after.grant_revoked(rules, each.grant.grant_id, end) for each in in_force]
        told = tuple(map(Outgoing, (step, *ends)))
        if state.provisional is not None and after.provisional != state.provisional:
            told += provisional_ended(
                agent(by),
                at,
                state.record_id,
                state.provisional.bounds,
                reopened=len(state.reopenings),
            )
        return Change(after, told)

    def _document(
        self, caller: Caller, state: CaseFile, kind: DocumentKind, sha256: str, content: bytes
    ) -> CaseDocument:
        if state.kind is None or kind not in self._work.rules.of(state.kind).documents:
            raise RefusedError("document", "A case of this kind has no such documents.")
        if not content or sha256_of(content).hexdigest() != sha256:
            raise RefusedError("sha256", "The body must have the SHA-256 in the address.")
        if state.document(sha256) is None:
            self._check_room(state)
        return _came_with(kind, content, caller.sub, self._work.clock.now())

    def _check_room(self, state: CaseFile) -> None:
        check_open(state)
        if len(state.documents) >= MOST_DOCUMENTS:
            raise RefusedError("full", f"A case has at most {MOST_DOCUMENTS} documents.")


def _came_with(kind: DocumentKind, content: bytes, by: str, at: datetime) -> CaseDocument:
    return CaseDocument(
        sha256=sha256_of(content).hexdigest(),
        kind=kind,
        size=len(content),
        added_by=by,
        added_at=at,
    )


@dataclass(frozen=True, slots=True)
class Submitted:
    """`token`: by which the requester asks for the state of the case. It exists only here and with
    the requester. `repeated`: the case was opened before."""

    case_id: str
    received_at: datetime
    token: str
    repeated: bool


@dataclass(frozen=True, slots=True)
class CaseProgress:
    """What a requester learns of a case: nothing that was sealed, and nobody's name. `age_days` and
    `days_without_act` are whole days, since its receipt and since its last step."""

    case_id: str
    state: CaseState
    outcome: CaseOutcome | None
    received_at: datetime
    age_days: int
    days_without_act: int
    last_step: CaseStep
    last_step_at: datetime


class PublicSubmissions:
    """The use cases of the public: ask for records, and ask how far that is."""

    def __init__(
        self,
        desk: CaseDesk,
        cases: Cases,
        processor: EventProcessor[CaseFile],
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._desk = desk
        self._cases = cases
        self._processor = processor
        self._clock = clock
        self._ids = ids

    async def submit(
        self, caller: Caller, key: str, request: str, contact: CaseContact | None
    ) -> Submitted:
        """Open a public-records case, acknowledged by the same write.

        :param key: chosen at random by the sender. The same request under the same key opens one
            case, and each call gets a token of its own; the newest are good.
        :raises RefusedError: the key was used for another request.
        """
        token = secrets.token_urlsafe(32)
        said = contact.model_dump(exclude_none=True) if contact else {}
        text = json.dumps([request, said], ensure_ascii=False, sort_keys=True)
        receipt = PublicReceipt(
            mark=_sha256(f"records-request:{key}"),
            content=hmac.digest(key.encode(), text.encode(), "sha256").hex(),
            token_hashes=(_sha256(token),),
        )
        file = await self._cases.submitted(receipt.mark)
        if file is None:
            file = await self._desk.open_case(
                caller, "public_records", request, contact, None, public_receipt=receipt
            )
        elif file.exists:
            # The call that opened it may have been killed before it reached everybody.
            file = await self._desk.reached(file.record_id)
        kept = file.public_receipt
        if kept is None or file.received_at is None or not file.exists:
            raise RefusedError("unknown_case", "There is no such case any more.")
        if not hmac.compare_digest(kept.content, receipt.content):
            raise RefusedError(
                "idempotency_key",
                "This key was used for something else; send a new key.",
                field="idempotency_key",
            )
        repeated = receipt.token_hashes[0] not in kept.token_hashes
        if repeated:
            await self._processor.change(file.record_id, self._ids.new(), _add_token(receipt))
        return Submitted(file.record_id, file.received_at, token, repeated)

    async def progress(self, token: str) -> CaseProgress:
        """The state of the token's case. Opens nothing.

        :raises RefusedError: no case has this token, or it was destroyed; there is no difference.
        """
        file = await self._cases.of_token(_sha256(token))
        step = file.last_step if file is not None else None
        if file is None or step is None or file.received_at is None:
            raise RefusedError("unknown_case", "There is no such case.")
        now = self._clock.now()
        return CaseProgress(
            case_id=file.record_id,
            state=file.state,
            outcome=file.outcome,
            received_at=file.received_at,
            age_days=(now - file.received_at).days,
            days_without_act=(now - step[1]).days,
            last_step=step[0],
            last_step_at=step[1],
        )


def _add_token(receipt: PublicReceipt) -> Callable[[CaseFile], Awaitable[Changed]]:
    (token_hash,) = receipt.token_hashes

    async def decide(state: CaseFile) -> Changed:
        return Change(state.with_token(token_hash)) if state.exists else None

    return decide


def _sha256(text: str) -> str:
    return sha256_of(text.encode()).hexdigest()


class Filing:
    """Tells the inventory the dates of case files, and ends what waits for that: a case is opened
    again once the inventory keeps its file."""

    def __init__(self, work: CaseWork, cases: Cases, shelf: Shelf) -> None:
        self._work = work
        self._cases = cases
        self._shelf = shelf

    async def step(self) -> None:
        """Tell what is not known yet. Every step may be repeated."""
        while found := await self._cases.unfiled(100):
            for state in found:
                await self.file(state)

    async def file(self, read: CaseFile) -> CaseFile:
        """Tell of one file, as it was read; returns it as it is then."""
        kept = True
        if read.received_at is not None:
            kept = await self._shelf.put(
                read.record_id,
                version=read.version,
                received_at=read.received_at,
                closed_at=read.shelved_closed_at,
            )

        async def decide(state: CaseFile) -> Changed:
            if not state.unfiled or _dates(state) != _dates(read) or not state.exists:
                return None
            if state.reopening is None:
                return Change(state.filed())
            if not kept:
                return Change(state.not_reopened().filed())
            return self._reopened(state.filed(), state.reopening)

        cause = derived_id(read.record_id, f"filed:{read.version}")
        return await self._work.processor.change(read.record_id, cause, noting(decide))

    def _reopened(self, state: CaseFile, asked: Reopening) -> Change[CaseFile]:
        """The case open again, and the events that say so and what it stops."""
        after = state.reopened(asked)
        step = after.recorded(
            self._work.rules_of(after),
            step="reopened",
            actor=asked.by,
            at=asked.at,
            codes=(asked.reason,),
        )
        revision = after.provisional.revision if after.provisional else 1
        placed = provisional_placed(
            asked.asked_as, asked.at, after.record_id, asked.bounds, revision
        )
        return Change(after, (Outgoing(step), *placed))


def _dates(file: CaseFile) -> tuple[object, ...]:
    """What the inventory learns of a case file, and what waits for that."""
    return file.received_at, file.closed_at, file.reopening


@dataclass(frozen=True, slots=True)
class DestroyCase:
    """Deletes everything of a case outside its document and its key. What of it the certificates of
    others need goes to the inventory first."""

    documents: SealedDocuments
    shelf: Shelf

    async def __call__(self, state: CaseFile) -> Destroyed:
        """What the case had, even if an earlier attempt deleted part of it."""
        await self.shelf.went_out(state.record_id, state.packages.went_out_in)
        objects, size = await self.documents.remove_all(state.record_id)
        return Destroyed(
            documents=1,
            fields=state.sealed_parts,
            objects=max(
                objects,
                len(state.documents) + state.packages.objects + state.deliveries.objects,
            ),
            bytes=max(
                size,
                sum(each.size for each in state.documents)
                + state.packages.size
                + state.deliveries.size,
            ),
        )


def _of_a_case(handler: Handler[CaseFile]) -> Handler[CaseFile]:
    """The same handler, for case files only: retention holds nothing sealed of a request."""

    async def handle(state: CaseFile, event: Event[Any]) -> Changed:
        return await handler(state, event) if state.kind is not None else None

    return handle


def disposition_handlers() -> Mapping[type[Model], Handler[CaseFile]]:
    """How the case desk takes part in disposition, like every other holder."""
    return {kind: _of_a_case(handler) for kind, handler in hold_handlers().items()}
