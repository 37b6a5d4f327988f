"""Asks intake and media on behalf of the worker what to look for in a package, and looks."""

import asyncio
import base64
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, TypeVar

from direct311.redaction.leaks import KEY_BYTES, Fingerprint
from direct311.retention.packages.leaks import leaks_in
from direct311.retention.packages.ports import Leak, WithheldOfCase
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.peers import HttpError, Peer
from direct311.schemas import Model

T = TypeVar("T")
LONGEST_ANSWER: Final = 60.0
"""In seconds."""
LONGEST_READING: Final = 300.0
"""In seconds, for one file: media reads it while nobody waits for it at a desk."""
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
    """`files`: keyed hashes of whole files, and `record_id`: which record withholds them; only
    media has any."""

    fingerprints: tuple[_Fingerprint, ...]
    files: tuple[str, ...] = ()
    record_id: str | None = None


@dataclass(slots=True)
class _Sought:
    """What the package is searched for. `files`: the keyed hash of a file, with the record that
    withholds it."""

    fingerprints: list[Fingerprint] = field(default_factory=list)
    files: dict[bytes, str | None] = field(default_factory=dict)

    def add(self, answer: _Answer) -> None:
        """:raises ValueError: it is not of this form."""
        for each in answer.fingerprints:
            self.fingerprints.append(
                Fingerprint(
                    record_id=each.record_id,
                    kind=each.kind,
                    length=each.length,
                    window=each.window,
                    rolling=int(each.rolling, 16),
                    mac=bytes.fromhex(each.mac),
                    own=each.own,
                )
            )
        for mac in answer.files:
            self.files.setdefault(bytes.fromhex(mac), answer.record_id)


class PeerWithheld:
    """Implements `Withheld` by intake's `POST /internal/cases/{case}/leaks`, and media's `POST
    /internal/cases/{case}/files/{file}/leaks`."""

    def __init__(self, intake: Peer, media: Peer) -> None:
        self._intake = intake
        self._media = media

    async def leaks(
        self, package: BinaryIO, withheld: WithheldOfCase, authorization: str
    ) -> Sequence[Leak]:
        key = secrets.token_bytes(KEY_BYTES)
        sought = _Sought()
        told = {"key": base64.b64encode(key).decode()}
        before = [
            {"record_id": each, "decisions": withheld.released[each]}
            for each in sorted(withheld.released)
        ]
        texts = _Asking(self._intake, LONGEST_ANSWER, authorization, sought)
        path = f"/internal/cases/{withheld.case_id}/leaks"
        for some in _some(withheld.record_ids):
            await texts(path, {**told, "record_ids": list(some)})
        for then in _some(before):
            await texts(path, {**told, "released": list(then)}, released=True)
        files = _Asking(self._media, LONGEST_READING, authorization, sought)
        told["purpose"] = withheld.kind
        for released, asked in ((False, withheld.files), (True, withheld.released_files)):
            for each in asked:
                path = f"/internal/cases/{withheld.case_id}/files/{each.media_id}/leaks"
                said = {"decisions": each.decisions, "whole": each.whole, "released": released}
                await files(path, {**told, **said}, released=released)
        found = await asyncio.to_thread(leaks_in, package, key, sought.fingerprints, sought.files)
        return [
            Leak(each.number, each.entry, each.kind, each.record_id, each.places, each.content)
            for each in found
        ]


def _some(all_of_them: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(all_of_them), AT_A_TIME):
        yield all_of_them[start : start + AT_A_TIME]


class _Asking:
    """Asks one owner, and adds what it answers."""

    def __init__(self, owner: Peer, seconds: float, authorization: str, sought: _Sought) -> None:
        self._owner = owner
        self._seconds = seconds
        self._authorization = authorization
        self._sought = sought

    async def __call__(
        self, path: str, question: Mapping[str, object], *, released: bool = False
    ) -> None:
        try:
            answer: Any = await self._owner.post(
                path, question, on_behalf_of=self._authorization, seconds=self._seconds
            )
            self._sought.add(_Answer.model_validate(answer))
        except HttpError as error:
            if error.status == 410 or (error.status == 404 and released):
                # The original is gone, or its record was destroyed since.
                return
            raise _refused(error, released=released) from None
        except (TransientError, ValueError):
            # The message of an answer that cannot be read has what was answered.
            raise _away() from None


def _refused(error: HttpError, *, released: bool) -> RefusedError:
    if error.status == 401:
        return RefusedError("unauthenticated", "The owner does not accept the token.")
    if error.status == 403 and released:
        return RefusedError(
            "no_grant",
            "No grant in force names you and every record that went out with the earlier"
            " parts. This part is searched for what they withheld.",
        )
    if error.status in (403, 404, 409):
        return RefusedError(
            "collected_before",
            "A record may not be opened for this case any more, or was changed or decided"
            " anew. Collect again.",
        )
    return _away()


def _away() -> RefusedError:
    return RefusedError(
        "unavailable", "An owner of the records does not answer now; try again.", retry_after=5
    )
