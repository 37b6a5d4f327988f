"""Seals a department's note, before routing accepts the update that it came with."""

import hmac
import json
from hashlib import sha256
from typing import Any

from direct311.intake.caller import SELF
from direct311.intake.request import WORK_NOTES, ServiceRequest, WorkNote
from direct311.intake.retries import done_before
from direct311.intake.work_notes.domain import MOST_SEALED, HandedNote
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.clock import Ids
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.state import Change
from direct311.runtime.vault.vault import DataKey, Vault

PURPOSE = "respond"


class SealWorkNote:
    """The use case behind `POST /internal/work-notes`."""

    def __init__(
        self,
        *,
        processor: EventProcessor[ServiceRequest],
        vault: Vault,
        ids: Ids,
        content_key: bytes,
    ) -> None:
        self._processor = processor
        self._vault = vault
        self._ids = ids
        self._content_key = content_key

    async def __call__(self, note: HandedNote, caller: Caller, operation: str) -> bool:
        """Whether the note was sealed now; `False` if it was before, so a call may be repeated.

        The note is sealed exactly as it came, under the record's key. Sealing into an existing
        record is an access of intake's own, brought by the caller, which is written down first. A
        repeat opens nothing and writes nothing. Nothing that anybody sees of the request changes
        here: the public note comes with `work.updated`.

        :raises RefusedError: the request is unknown, was destroyed or is being destroyed; the
            update's id was used for another note; the request keeps as many notes as it can; or the
            access could not be written to the audit log. :raises VaultError: the record's key is
            gone.
        """
        content = self._hash(note)
        state = await self._processor.read(note.record_id)
        if _sealed_before(state, note, content):
            return False
        access = Access(
            SELF.behind(caller.sub),
            action="seal",
            purpose=PURPOSE,
            operation=operation,
            fields=(WORK_NOTES,),
            record_ids=(note.record_id,),
            lifecycle=state.status,
            version_seen=state.version,
        )
        facts = RecordFacts(note.record_id, state.assigned_department)
        sealed_now = False
        async with self._vault.unlock(access, facts) as data_key:

            async def add(now: ServiceRequest) -> Change[ServiceRequest] | None:
                nonlocal sealed_now
                # It may have changed since it was read.
                sealed_now = not _sealed_before(now, note, content)
                return Change(_with(now, note, content, data_key)) if sealed_now else None

            await self._processor.change(note.record_id, self._ids.new(), add)
        return sealed_now

    def _hash(self, note: HandedNote) -> str:
        """A keyed hash: a short note could be guessed from a plain one."""
        text = json.dumps([note.record_id, note.key, note.note], ensure_ascii=False)
        return hmac.digest(self._content_key, text.encode(), sha256).hex()


def _sealed_before(state: ServiceRequest, note: HandedNote, content: str) -> bool:
    if state.version == 0:
        raise RefusedError("unknown_record", "There is no such request.", field="record_id")
    if state.lifecycle != "active":
        raise RefusedError(
            "destroyed", "The request was destroyed, or is being destroyed.", field="record_id"
        )
    found = done_before(
        state.work_notes,
        note.key,
        content,
        field="update_id",
        detail="update_id was used for another note of this department.",
    )
    if found is None and len(state.sealed.get(WORK_NOTES, b"")) >= MOST_SEALED:
        raise RefusedError("full", "The request keeps as many notes as it can.", field="note")
    return found is not None


def _with(
    state: ServiceRequest, note: HandedNote, content: str, data_key: DataKey
) -> ServiceRequest:
    held: dict[str, Any] = {}
    if WORK_NOTES in state.sealed:
        held = json.loads(data_key.open(WORK_NOTES, state.sealed[WORK_NOTES]))
    said = {"department": note.department, "update_id": note.update_id, "note": note.note}
    text = json.dumps({**held, note.key: said}, ensure_ascii=False)
    sealed = {**state.sealed, WORK_NOTES: data_key.seal(WORK_NOTES, text.encode())}
    return state.work_note_sealed(WorkNote(mark=note.key, content=content), sealed)
