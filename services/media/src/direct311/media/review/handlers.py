"""The use cases: look at a file of a case, decide about it, render what may go out of it.

Everything that opens a file is an access under the grant of the case, and its entry is in the log
first. What opens nothing still asks whether a grant of the case opens the file to the caller.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from direct311.media.decisions import (
    MOST_BOXES,
    MOST_BOXES_OF_A_RECORD,
    Box,
    FileDecision,
    FileOutcome,
)
from direct311.media.ports import Originals
from direct311.media.record import MediaFile, RecordMedia
from direct311.media.review.domain import (
    FIELD,
    UNSCANNED,
    FileExemptions,
    FileFingerprints,
    FileKind,
    Finding,
    Look,
    PageImage,
    RenderedFile,
    RenderedKind,
    exemptions_of,
    hash_of,
    is_burnable,
    kind_of,
)
from direct311.media.review.ports import FilesById, Renderer, UnrenderableError
from direct311.media.sealing import sealed_name
from direct311.redaction.leaks import Keyed
from direct311.runtime.access.disclosures import Disclosures, under_case
from direct311.runtime.access.exemptions import Exemption, Exemptions
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.state import Change
from direct311.runtime.storage.objects import MissingObjectError
from direct311.runtime.vault.vault import DeniedError, Vault
from direct311.schemas import events as ev

LAW_ENFORCEMENT: Final = "law_enforcement"
_PATH: Final = "/v1/cases/{case_id}/files/{media_id}"
_INTERNAL: Final = "/internal/cases/{case_id}/files/{media_id}"


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks for what: a file, and the case and its kind under which it is opened."""

    caller: Caller
    purpose: ev.DisclosureKind
    case_id: str
    media_id: str


@dataclass(frozen=True, slots=True)
class ReviewedFile:
    """What a reviewer sees of a file. `version`: of the decision for this case, 0 if there is
    none. `offered`: what was last decided for another case. `preset`: the exemption that withholds
    the file because its record is protected, unless somebody who may lift it decides otherwise."""

    record_id: str
    file: MediaFile
    kind: FileKind
    look: Look
    version: int
    decision: FileDecision | None
    offered: FileDecision | None
    preset: Exemption | None


@dataclass(frozen=True, slots=True)
class Order:
    """What a reviewer decides, having seen the decision of this version."""

    version: int
    outcome: FileOutcome
    codes: tuple[str, ...]
    boxes: tuple[Box, ...]


class FileReviews:
    """Files of disclosure cases."""

    def __init__(
        self,
        *,
        files: FilesById,
        processor: EventProcessor[RecordMedia],
        originals: Originals,
        vault: Vault,
        disclosures: Disclosures,
        renderer: Renderer,
        exemptions: Exemptions,
        clock: Clock,
        ids: Ids,
        zone: ZoneInfo,
    ) -> None:
        """:param zone: of the county's calendar, by whose days exemptions begin and end."""
        self._files = files
        self._processor = processor
        self._originals = originals
        self._vault = vault
        self._disclosures = disclosures
        self._renderer = renderer
        self._exemptions = exemptions
        self._clock = clock
        self._ids = ids
        self._zone = zone

    async def review(self, asked: Question) -> ReviewedFile:
        """The file's kind and pages, and what was decided so far.

        :raises RefusedError: there is no such file, or no grant of the case opens it.
        """
        operation = f"POST {_PATH}/review"
        state, file = await self._found(asked, operation)
        content_type = file.content_type or ""
        look = Look(findings=UNSCANNED)
        if is_burnable(content_type):
            data = await self._opened(asked, state, operation)
            look = await self._renderer.look(data, content_type)
        else:
            # A recording is watched or heard through `original`; here nothing of it is opened.
            await self._told(asked, state, operation)
        decision = state.decision(asked.case_id, file.media_id)
        others = [
            each
            for each in state.decisions
            if each.media_id == file.media_id
            and each.case_id != asked.case_id
            and each.may_be_offered_to(asked.purpose)
        ]
        preset = self._preset(state, asked.purpose)
        return ReviewedFile(
            record_id=state.record_id,
            file=file,
            kind=kind_of(content_type),
            look=look,
            version=decision.version if decision else 0,
            decision=decision,
            offered=others[-1] if others else None,
            preset=preset,
        )

    async def page(self, asked: Question, number: int) -> PageImage:
        """One page as it would go out, without boxes.

        :raises RefusedError: there is no such file or page, or no grant of the case opens it.
        """
        operation = f"POST {_PATH}/pages/{{page}}"
        state, file = await self._found(asked, operation)
        content_type = file.content_type or ""
        if not is_burnable(content_type):
            await self._check_grant(asked, state, operation)
            raise _not_renderable("This kind of file has no pages to show.")
        data = await self._opened(asked, state, operation)
        try:
            return await self._renderer.page(data, content_type, number)
        except UnrenderableError as error:
            if error.reason == "no_such_page":
                raise RefusedError("not_found", "The file has no such page.") from None
            raise _not_renderable(f"The file cannot be shown: {error.reason}.") from None

    async def decide(self, asked: Question, order: Order) -> FileDecision:
        """Record a decision. The same one, sent again by the same person, changes nothing.

        :raises RefusedError: no grant of the case names the file; the decision is none, an
            exemption is not in force, only others may decide so, or somebody else has decided
            meanwhile.
        """
        operation = f"PUT {_PATH}/decisions"
        state, file = await self._found(asked, operation)
        try:
            known = self._checked(asked, order, state, file)
        except RefusedError:
            # Only those whom a grant names learn what is wrong.
            await self._check_grant(asked, state, operation)
            raise
        if known is not None:
            await self._check_grant(asked, state, operation)
            return known
        access = self._access(asked, state, "redact", operation, (FIELD,), redactions=_cited(order))
        facts = await self._facts(asked, state, access)
        await self._vault.authorise(under_case(access, facts), facts)

        async def decided(current: RecordMedia) -> Change[RecordMedia] | None:
            if current.lifecycle != "active":
                raise _no_such_file()
            if self._checked(asked, order, current, file) is not None:
                return None
            return Change(current.decided(self._decision(asked, order, current)))

        after = await self._processor.change(state.record_id, self._ids.new(), decided)
        found = after.decision(asked.case_id, file.media_id)
        if found is None:
            raise _no_such_file()
        return found

    async def render(self, asked: Question, recipient: str) -> RenderedFile | FileExemptions:
        """What goes out of the file to the recipient, or that it is withheld whole.

        :raises RefusedError: no grant of the case opens it, nobody has decided about it, or what
            the decision rests on has changed.
        """
        operation = f"POST {_INTERNAL}/rendering"
        state, file = await self._found(asked, operation)
        decision = await self._decided(asked, state, operation)
        if decision.outcome == "withhold":
            await self._told(asked, state, operation)
            await self._remembered(asked, state.record_id, decision)
            return self._exemptions_of(state, decision)
        content_type = file.content_type or ""
        data = await self._opened(
            asked,
            state,
            operation,
            action="disclose",
            recipient=recipient,
            redactions=decision.cited,
        )
        if decision.outcome == "release":
            warnings = UNSCANNED
            if is_burnable(content_type):
                warnings = (await self._renderer.look(data, content_type)).findings
            return await self._rendered(state, decision, "original", content_type, data, warnings)
        await self._remembered(asked, state.record_id, decision)
        try:
            burnt = await self._renderer.burn(data, content_type, decision.boxes)
        except UnrenderableError as error:
            return exemptions_of(state.record_id, decision, self._citation, error.reason)
        return await self._rendered(state, decision, "redacted", burnt.content_type, burnt.data)

    async def exemptions(self, asked: Question) -> FileExemptions:
        """The rows of the exemption log for the file. Opens nothing.

        :raises RefusedError: as `render`.
        """
        operation = f"POST {_INTERNAL}/exemptions"
        state, _ = await self._found(asked, operation)
        decision = await self._decided(asked, state, operation)
        await self._told(asked, state, operation)
        return self._exemptions_of(state, decision)

    async def fingerprints(
        self, asked: Question, key: bytes, decisions: str, *, whole: bool, released: bool
    ) -> FileFingerprints:
        """What to look for in a package, so that what is withheld of the file is found. The key is
        used for this answer only, and kept nowhere. The file is an access of the caller.

        :param key: of one build of a package.
        :param decisions: SHA-256 (hex) of the decision by which the file was rendered.
        :param whole: nothing of it went out, also if the decision says otherwise.
        :param released: that was for a package that went out; the decision may be an earlier one.
        :raises RefusedError: no grant of the case opens the file, or what was rendered is not what
            would be rendered now.
        """
        operation = f"POST {_INTERNAL}/leaks"
        state, file = await self._found(asked, operation)
        if released:
            known = state.withheld_by(asked.case_id, asked.media_id)
            # What media does not remember may have been any of them.
            withholding = [each for each in known if hash_of(each) == decisions] or known
        else:
            decision = await self._decided(asked, state, operation)
            if hash_of(decision) != decisions:
                await self._check_grant(asked, state, operation)
                raise RefusedError("changed", "The file was decided anew.")
            withholding = [decision] if decision.cited else []
        if not withholding:
            await self._check_grant(asked, state, operation)
            return FileFingerprints()
        data = await self._opened(asked, state, operation)
        about = data, file.content_type or "", state.record_id
        found = [
            await self._fingerprinted(*about, () if whole else each.boxes, key)
            for each in withholding
        ]
        return FileFingerprints(
            record_id=state.record_id,
            fingerprints=tuple(dict.fromkeys(each for one in found for each in one.fingerprints)),
            files=tuple(dict.fromkeys(each for one in found for each in one.files)),
        )

    async def _fingerprinted(
        self, data: bytes, content_type: str, record_id: str, boxes: Sequence[Box], key: bytes
    ) -> FileFingerprints:
        try:
            return await self._renderer.fingerprint(data, content_type, record_id, boxes, key)
        except UnrenderableError:
            # Nobody here can read it, but somebody may have sent the same file elsewhere.
            digest = await asyncio.to_thread(hashlib.sha256, data)
            return FileFingerprints(files=(Keyed(key).file_mac(digest.digest()).hex(),))

    async def _remembered(self, asked: Question, record_id: str, decision: FileDecision) -> None:
        """Remember what withheld something from what goes out, before it does, for the leak check
        of later parts."""
        if decision.rendered:
            return

        async def decide(current: RecordMedia) -> Change[RecordMedia] | None:
            known = current.decision(asked.case_id, asked.media_id)
            if known is None or hash_of(known) != hash_of(decision):
                raise RefusedError("changed", "The file was decided anew.")
            return None if known.rendered else Change(current.rendered(known))

        await self._processor.change(record_id, self._ids.new(), decide)

    # ------------------------------------------------------------ what is known

    async def _found(self, asked: Question, operation: str) -> tuple[RecordMedia, MediaFile]:
        record_id = await self._files.record_of(asked.media_id)
        if record_id is not None:
            state = await self._processor.read(record_id)
            file = state.file(asked.media_id)
            if state.lifecycle == "active" and file is not None:
                return state, file
        try:
            await self._check_grant(asked, None, operation)
        except DeniedError as error:
            # Whom a grant names may know that there is no such file.
            if error.decision.rule_id != "refused:grant_records":
                raise
        raise _no_such_file()

    async def _decided(self, asked: Question, state: RecordMedia, operation: str) -> FileDecision:
        decision = state.decision(asked.case_id, asked.media_id)
        refusal = None
        if decision is None:
            refusal = RefusedError("not_reviewed", "Nobody has decided about this file.")
        elif state.protected and not decision.protected:
            refusal = RefusedError(
                "changed", "The record became protected after the decision; review it again."
            )
        elif not self._in_force(decision.cited, asked.purpose):
            refusal = RefusedError(
                "changed", "An exemption ended after the decision; review it again."
            )
        if refusal is not None or decision is None:
            await self._check_grant(asked, state, operation)
            raise refusal or _no_such_file()
        return decision

    def _exemptions_of(self, state: RecordMedia, decision: FileDecision) -> FileExemptions:
        return exemptions_of(state.record_id, decision, self._citation)

    def _citation(self, code: str) -> str:
        found = self._exemptions.find(code)
        return found.citation if found else code

    def _in_force(self, codes: Sequence[str], kind: str) -> bool:
        """Whether all are codes of exemptions that are for files in a case of this kind and in
        force today."""
        today = self._today()
        return all(self._exemptions.in_force(code, today, FIELD, kind) for code in codes)

    def _preset(self, state: RecordMedia, kind: str) -> Exemption | None:
        """The exemption that withholds the files of a protected record. An instrument of law
        enforcement that opens files opens these too."""
        if kind == LAW_ENFORCEMENT:
            return None
        found = self._exemptions.for_trigger("protected_person", self._today())
        preset = found if found and found.preset and FIELD in found.fields else None
        return preset if state.protected else None

    def _today(self) -> date:
        return self._clock.now().astimezone(self._zone).date()

    # ------------------------------------------------------------ deciding

    def _checked(
        self, asked: Question, order: Order, state: RecordMedia, file: MediaFile
    ) -> FileDecision | None:
        """The decision, if this order made it before."""
        self._check_form(order, file)
        if not self._in_force(_cited(order), asked.purpose):
            raise RefusedError(
                "exemption",
                "What is withheld needs an exemption that is in force today, and is for files.",
                field="codes" if order.outcome == "withhold" else "boxes",
            )
        self._check_preset(asked, order, state)
        before = state.decision(asked.case_id, file.media_id)
        version = before.version if before else 0
        if version == order.version:
            self._check_room(order, state, before)
            return None
        repeated = version == order.version + 1 and before is not None
        if (
            before is not None
            and repeated
            and before.says(order.outcome, order.codes, order.boxes, asked.caller.sub)
        ):
            return before
        raise RefusedError(
            "changed", "Somebody else has decided meanwhile; review it again.", field="version"
        )

    def _check_form(self, order: Order, file: MediaFile) -> None:
        wanted = {
            "release": "A file that is released has neither codes nor boxes.",
            "withhold": "A file that is withheld has at least one code, and no boxes.",
            "redact": "A file that is redacted has at least one box, and no codes of its own.",
        }
        has = (bool(order.codes), bool(order.boxes))
        right = {"release": (False, False), "withhold": (True, False), "redact": (False, True)}
        if has != right[order.outcome]:
            raise RefusedError("malformed", wanted[order.outcome], field="outcome")
        content_type = file.content_type or ""
        if order.outcome == "redact" and not is_burnable(content_type):
            raise RefusedError(
                "boxes", "This kind of file goes out whole or not at all.", field="boxes"
            )
        if kind_of(content_type) == "picture" and any(box.page != 1 for box in order.boxes):
            raise RefusedError("boxes", "A picture has one page.", field="boxes")

    def _check_preset(self, asked: Question, order: Order, state: RecordMedia) -> None:
        """The files of a protected record are withheld whole, unless somebody decides otherwise who
        may lift the exemption."""
        preset = self._preset(state, asked.purpose)
        if preset is None or (order.outcome == "withhold" and preset.code in order.codes):
            return
        if not set(preset.lifted_by) & set(asked.caller.roles):
            raise RefusedError(
                "lifted_by",
                "The record is protected: its files are withheld whole unless one of these roles "
                f"decides otherwise: {', '.join(preset.lifted_by)}.",
            )

    def _check_room(self, order: Order, state: RecordMedia, before: FileDecision | None) -> None:
        kept = [each for each in state.decisions if each is not before or each.rendered]
        # A decision without boxes takes room too.
        others = sum(max(1, len(each.boxes)) for each in (*kept, *state.earlier))
        room = MOST_BOXES_OF_A_RECORD - others
        if len(order.boxes) > MOST_BOXES or max(1, len(order.boxes)) > room:
            raise RefusedError(
                "full", "The record has as many boxes and decisions as it may.", field="boxes"
            )

    def _decision(self, asked: Question, order: Order, state: RecordMedia) -> FileDecision:
        return FileDecision(
            case_id=asked.case_id,
            media_id=asked.media_id,
            kind=asked.purpose,
            version=order.version + 1,
            outcome=order.outcome,
            codes=order.codes,
            boxes=order.boxes,
            decided_by=asked.caller.sub,
            decided_at=self._clock.now(),
            protected=state.protected,
        )

    # ------------------------------------------------------------ opening

    async def _opened(
        self,
        asked: Question,
        state: RecordMedia,
        operation: str,
        *,
        action: ev.AccessAction = "view",
        recipient: str | None = None,
        redactions: Sequence[str] = (),
    ) -> bytes:
        """The file as received.

        :raises DeniedError: no grant of the case opens it.
        :raises AuditUnavailableError: the access could not be recorded; nothing was opened.
        """
        access = self._access(
            asked, state, action, operation, (FIELD,), recipient=recipient, redactions=redactions
        )
        try:
            # This is ciphertext, so it may be fetched before the access is decided. That way
            # nothing can fail after the access was recorded.
            sealed = await self._originals.get(state.record_id, asked.media_id)
        except MissingObjectError:
            raise RefusedError("not_readable", "The original file no longer exists.") from None
        facts = await self._facts(asked, state, access)
        async with self._vault.unlock(under_case(access, facts), facts) as key:
            return await asyncio.to_thread(key.open, sealed_name(asked.media_id), sealed)

    async def _check_grant(
        self, asked: Question, state: RecordMedia | None, operation: str
    ) -> RecordFacts:
        """Whether a grant of the case opens the file to the caller. Opens nothing, and writes
        nothing down but a refusal.

        :raises DeniedError: none does.
        """
        access = self._access(asked, state, "view", operation, (FIELD,))
        facts = await self._facts(asked, state, access)
        if not self._vault.allows(access, facts):
            await self._vault.authorise(under_case(access, facts), facts)
        return facts

    async def _told(self, asked: Question, state: RecordMedia, operation: str) -> None:
        """Write down that somebody is told about the file, of which nothing is opened.

        :raises DeniedError: no grant of the case opens it to them.
        :raises AuditUnavailableError: it could not be recorded.
        """
        facts = await self._check_grant(asked, state, operation)
        access = self._access(asked, state, "view", operation, ())
        await self._vault.authorise(under_case(access, facts), facts)

    def _access(
        self,
        asked: Question,
        state: RecordMedia | None,
        action: ev.AccessAction,
        operation: str,
        fields: tuple[str, ...],
        *,
        recipient: str | None = None,
        redactions: Sequence[str] = (),
    ) -> Access:
        return Access(
            asked.caller,
            action=action,
            purpose=asked.purpose,
            operation=operation,
            fields=fields,
            record_ids=(state.record_id,) if state else (),
            reference=asked.case_id,
            version_seen=state.version if state else None,
            result_count=len(fields),
            recipient=recipient,
            redactions=tuple(redactions),
        )

    async def _facts(
        self, asked: Question, state: RecordMedia | None, access: Access
    ) -> RecordFacts:
        about = RecordFacts(file_id=asked.media_id)
        if state is not None:
            about = RecordFacts(state.record_id, state.department, file_id=asked.media_id)
        return await self._disclosures.facts_for(access, about)

    async def _rendered(
        self,
        state: RecordMedia,
        decision: FileDecision,
        kind: RenderedKind,
        content_type: str,
        data: bytes,
        warnings: tuple[Finding, ...] = (),
    ) -> RenderedFile:
        digest = await asyncio.to_thread(hashlib.sha256, data)
        return RenderedFile(
            record_id=state.record_id,
            media_id=decision.media_id,
            version=decision.version,
            decisions=hash_of(decision),
            kind=kind,
            content_type=content_type,
            data=data,
            sha256=digest.hexdigest(),
            warnings=warnings,
        )


def _cited(order: Order) -> tuple[str, ...]:
    return order.codes if order.outcome == "withhold" else tuple(box.code for box in order.boxes)


def _no_such_file() -> RefusedError:
    return RefusedError("not_found", "No such file is kept.")


def _not_renderable(detail: str) -> RefusedError:
    return RefusedError("not_renderable", detail)
