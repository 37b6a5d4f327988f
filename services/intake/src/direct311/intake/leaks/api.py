"""`POST /internal/cases/{case_id}/leaks`: what a finished package is searched for."""

import base64
import binascii
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from direct311.intake.api_types import CallerOf
from direct311.intake.leaks.domain import MOST_RECORDS
from direct311.intake.leaks.handlers import FingerprintWithheld
from direct311.redaction.leaks import KEY_BYTES
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import PROBLEMS
from direct311.schemas import Model, RecordId

RETENTION = "svc:retention"


class ReleasedRecord(Model, extra="forbid"):
    """A record that went out before. `decisions`: SHA-256 (hex) of the decisions by which it was
    rendered then."""

    record_id: RecordId
    decisions: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class LeakQuestion(Model, extra="forbid"):
    """`key`: 32 random bytes, made for one build of a package, in base64. The caller drops it with
    the answer. `record_ids`: what of them is withheld now. `released`: what was withheld of them
    when they went out with an earlier part of the case."""

    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$", repr=False)]
    record_ids: Annotated[tuple[RecordId, ...], Field(max_length=MOST_RECORDS)] = ()
    released: Annotated[tuple[ReleasedRecord, ...], Field(max_length=MOST_RECORDS)] = ()


class LeakFingerprint(Model):
    """One value to look for. `rolling` (16 hex digits) is of its first `window` characters; `mac`
    (32 hex digits) of all `length`. `own`: only in its record's own text."""

    record_id: str
    kind: str
    length: int
    window: int
    rolling: str
    mac: str
    own: bool


class LeakAnswer(Model):
    """The fingerprints; none if nothing was withheld from these records."""

    fingerprints: tuple[LeakFingerprint, ...]


def leaks_router(fingerprint: FingerprintWithheld, caller_of: CallerOf) -> APIRouter:
    """Only for retention, on behalf of a worker of the case."""
    api = APIRouter(prefix="/internal", responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post("/cases/{case_id}/leaks")
    async def leaks(
        caller: Annotated[Caller, who], case_id: RecordId, question: LeakQuestion
    ) -> LeakAnswer:
        """Keyed fingerprints of what the case's decisions withhold from these records. Opening each
        record is an access of the person, written to the log first."""
        if caller.via != RETENTION:
            raise RefusedError("caller", "Only the retention service may ask, for a person.")
        released = [(each.record_id, each.decisions) for each in question.released]
        if not question.record_ids and not released:
            raise RefusedError("malformed", "Name a record.", field="record_ids")
        found = await fingerprint(
            caller, case_id, question.record_ids, _key(question.key), released
        )
        return LeakAnswer(
            fingerprints=tuple(
                LeakFingerprint(
                    record_id=each.record_id,
                    kind=each.kind,
                    length=each.length,
                    window=each.window,
                    rolling=f"{each.rolling:016x}",
                    mac=each.mac.hex(),
                    own=each.own,
                )
                for each in found
            )
        )

    return api


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise RefusedError("malformed", f"key must be {KEY_BYTES} bytes in base64.", field="key")
    return key
