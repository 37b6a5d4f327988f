"""Collecting the files of a record: each is sealed piece by piece while it arrives."""

import asyncio
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Final

from direct311.retention.cases.domain import CaseFile, CaseKind
from direct311.retention.cases.ports import SealedDocuments
from direct311.retention.packages.domain.files import GRANTED, CollectedFile, file_name
from direct311.retention.packages.domain.parts import FileOfRecord, RecordPart
from direct311.retention.packages.ports import (
    ArrivingFile,
    BrokenOffError,
    Files,
    NoFile,
    NotRendered,
    WithheldFile,
)
from direct311.runtime.vault.pieces import PieceWriter
from direct311.runtime.vault.vault import DataKey

FILES_AT_ONCE: Final = 4
"""How many files arrive at the same time: of each, two pieces are in memory."""


SECONDS: Final = 30.0
"""For how long one call begins to collect the files of another record. Those that it has begun with
are collected; the rest is for the next call, so that no call takes as long as all files do."""


@dataclass(frozen=True, slots=True)
class Later:
    """A record that the next call asks for again."""

    record_id: str


@dataclass(frozen=True, slots=True)
class NotCollected:
    """A record that was not collected, and why (a code)."""

    record_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Granted:
    """What the grants of a case open of a record."""

    fields: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()

    def more(self, fields: Collection[str], files: Collection[str]) -> "Granted":
        """This, and what another grant opens."""
        opened = files if GRANTED in fields else ()
        return Granted(self.fields | {*fields}, self.files | {*opened})


class FileCollecting:
    """Collects the files of records."""

    def __init__(self, files: Files, sealed: SealedDocuments) -> None:
        self._files = files
        self._sealed = sealed
        self._turn = asyncio.Semaphore(FILES_AT_ONCE)

    def asks(self, part: RecordPart, granted: Granted) -> bool:
        """Whether a file of this record has to be asked for."""
        files = part.rendering.files
        return any(each.state == "kept" and each.media_id in granted.files for each in files)

    async def __call__(
        self,
        key: DataKey | None,
        state: CaseFile,
        kind: CaseKind,
        part: RecordPart,
        granted: Granted,
        authorization: str,
        until: float,
    ) -> RecordPart | NotCollected | Later:
        """The record with what goes out of its files.

        :param key: the case's; needed only if a file has to be asked for.
        :param until: by the event loop's clock: nothing is begun after it.
        :raises RefusedError: the owner does not accept the person's token.
        """
        found: list[CollectedFile] = []
        begun = False
        for each in part.rendering.files:
            if each.state == "arriving":
                return NotCollected(part.record_id, "files_arriving")
            if each.state == "rejected":
                file = CollectedFile(media_id=each.media_id, outcome="not_kept", reason=each.reason)
            elif each.media_id not in granted.files or key is None:
                file = CollectedFile(media_id=each.media_id, outcome="not_in_scope")
            else:
                async with self._turn:
                    if not begun and asyncio.get_running_loop().time() > until:
                        return Later(part.record_id)
                    begun = True
                    answer = await self._collected(key, state, kind, each, authorization)
                if isinstance(answer, NotRendered):
                    return NotCollected(part.record_id, answer.reason)
                file = answer
            found.append(file)
        return part.with_files(found)

    async def _collected(
        self, key: DataKey, state: CaseFile, kind: CaseKind, file: FileOfRecord, authorization: str
    ) -> CollectedFile | NotRendered:
        media_id = file.media_id
        asking = self._files.rendering(state.record_id, media_id, kind, authorization)
        async with asking as answer:
            if isinstance(answer, NotRendered):
                return answer
            if isinstance(answer, NoFile):
                return CollectedFile(media_id=media_id, outcome="not_kept", reason=answer.reason)
            if isinstance(answer, WithheldFile):
                return CollectedFile(
                    media_id=media_id,
                    outcome="withheld",
                    reason=answer.reason,
                    decisions=answer.decisions,
                    withheld=tuple(answer.withheld),
                )
            return await self._sealed_file(key, state, media_id, answer)

    async def _sealed_file(
        self, key: DataKey, state: CaseFile, media_id: str, answer: ArrivingFile
    ) -> CollectedFile | NotRendered:
        put = partial(self._sealed.put, state.record_id)
        # The same content has the same name, so whoever collects it again writes the same again.
        writer = PieceWriter(key, file_name(answer.sha256), put)
        crc = 0
        try:
            async for piece in answer.content:
                crc = zlib.crc32(piece, crc)
                await writer.write(piece)
        except BrokenOffError:
            return NotRendered("unavailable")
        if writer.sha256 != answer.sha256:
            return NotRendered("unavailable")
        await writer.finish()
        return CollectedFile(
            media_id=media_id,
            outcome=answer.outcome,
            decisions=answer.decisions,
            content_type=answer.content_type,
            warnings=tuple(answer.warnings),
            sha256=writer.sha256,
            size=writer.size,
            crc=crc,
            withheld=tuple(answer.withheld),
        )
