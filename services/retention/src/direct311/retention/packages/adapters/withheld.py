"""Asks intake what to look for in a package, on behalf of the worker, and looks for it."""

import asyncio
import base64
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Final

from direct311.redaction.leaks import KEY_BYTES, Fingerprint
from direct311.retention.packages.leaks import leaks_in
from direct311.retention.packages.ports import Leak
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.peers import HttpError, Peer
from direct311.schemas import Model

LONGEST_ANSWER: Final = 60.0
"""In seconds."""
AT_A_TIME: Final = 20
"""How many records one question names: the gateway answers it, and callers wait for that too."""


class _Fingerprint(Model):
    record_id: str
    kind: str
    length: int
    window: int
    rolling: str
    mac: str
    own: bool


class _Answer(Model):
    fingerprints: tuple[_Fingerprint, ...]


class PeerWithheld:
    """Implements `Withheld` by intake's `POST /internal/cases/{case}/leaks`."""

    def __init__(self, intake: Peer) -> None:
        self._intake = intake

    async def leaks(
        self,
        package: BinaryIO,
        case_id: str,
        record_ids: Sequence[str],
        released: Mapping[str, str],
        authorization: str,
    ) -> Sequence[Leak]:
        key = secrets.token_bytes(KEY_BYTES)
        fingerprints: list[Fingerprint] = []
        for start in range(0, len(record_ids), AT_A_TIME):
            asked = {"record_ids": list(record_ids[start : start + AT_A_TIME])}
            fingerprints += await self._fingerprints(case_id, asked, key, authorization)
        before = [{"record_id": each, "decisions": released[each]} for each in sorted(released)]
        for start in range(0, len(before), AT_A_TIME):
            then = {"released": before[start : start + AT_A_TIME]}
            fingerprints += await self._fingerprints(case_id, then, key, authorization)
        found = await asyncio.to_thread(leaks_in, package, key, fingerprints)
        return [
            Leak(each.number, each.entry, each.kind, each.record_id, each.places, each.content)
            for each in found
        ]

    async def _fingerprints(
        self, case_id: str, asked: Mapping[str, object], key: bytes, authorization: str
    ) -> list[Fingerprint]:
        question = {"key": base64.b64encode(key).decode(), **asked}
        path = f"/internal/cases/{case_id}/leaks"
        try:
            answer: Any = await self._intake.post(
                path, question, on_behalf_of=authorization, seconds=LONGEST_ANSWER
            )
            found = _Answer.model_validate(answer).fingerprints
            return [
                Fingerprint(
                    record_id=each.record_id,
                    kind=each.kind,
                    length=each.length,
                    window=each.window,
                    rolling=int(each.rolling, 16),
                    mac=bytes.fromhex(each.mac),
                    own=each.own,
                )
                for each in found
            ]
        except HttpError as error:
            if error.status == 401:
                raise RefusedError(
                    "unauthenticated", "The owner does not accept the token."
                ) from None
            if error.status == 403 and "released" in asked:
                raise RefusedError(
                    "no_grant",
                    "No grant in force names you and every record that went out with the earlier"
                    " parts. This part is searched for what they withheld.",
                ) from None
            if error.status in (403, 404, 409):
                raise RefusedError(
                    "collected_before",
                    "A record may not be opened for this case any more, or was changed or decided"
                    " anew. Collect again.",
                ) from None
            raise _away() from None
        except (TransientError, ValueError):
            # The message of an answer that cannot be read has what was answered.
            raise _away() from None


def _away() -> RefusedError:
    return RefusedError("unavailable", "Intake does not answer now; try again.", retry_after=5)
