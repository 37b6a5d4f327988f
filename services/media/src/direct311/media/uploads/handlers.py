"""The use cases: accept uploads, withdraw copies.

Every step may run again after a crash at any line. Names are derived, so that a repeat overwrites
what was written. Originals are written first, so that everything in the public bucket can be found
from the sealed one. The document with its event comes last, and the incoming bytes are removed
after it.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from direct311.media.ports import Copies, Incoming, Originals, Tokens
from direct311.media.record import (
    CleanCopy,
    MediaFile,
    NoCopyReason,
    PublicCopy,
    RecordMedia,
    RejectionReason,
    copy_name,
    possible_copy_names,
)
from direct311.media.sealing import sealed_name
from direct311.media.uploads.domain import Rejected, rejected_event, stored_event
from direct311.media.uploads.ports import Cleaner, Sealer, Seals
from direct311.runtime.clock import Clock
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.schemas import Event
from direct311.schemas import events as ev


@dataclass(frozen=True, slots=True)
class TakeUploads:
    """Accepts a request's uploads, and withdraws copies when the record becomes protected."""

    incoming: Incoming
    cleaner: Cleaner
    seals: Seals
    originals: Originals
    copies: Copies
    tokens: Tokens
    clock: Clock
    public_url: str
    max_bytes: int
    count: Callable[[str], None]

    async def on_created(
        self, state: RecordMedia, event: Event[ev.RequestCreated]
    ) -> Change[RecordMedia] | None:
        return await self._follow(state, event.data.uploads, protected=state.protected)

    async def on_updated(
        self, state: RecordMedia, event: Event[ev.RequestUpdated]
    ) -> Change[RecordMedia] | None:
        return await self._follow(state, event.data.uploads, protected=event.data.protected)

    async def _follow(
        self, state: RecordMedia, uploads: Sequence[ev.UploadRef], *, protected: bool
    ) -> Change[RecordMedia] | None:
        new = state.unknown(uploads)
        if not new and protected == state.protected:
            return None
        files = list(state.files)
        if protected:
            files = [await self._withdraw(file) for file in files]
        key = _OneKey(self.seals, state.record_id)
        for upload in new:
            file = await self._take(state.record_id, upload, key, protected=protected)
            self.count(str(file.reason) if file.state == "rejected" else "stored")
            files.append(file)
        after = state.taken_in(files, protected=protected)
        if after.files == state.files:
            return Change(after)
        at = self.clock.now()
        rejected = [file for file in files[len(state.files) :] if file.state == "rejected"]
        return Change(
            after,
            (
                Outgoing(stored_event(state, files, self.public_url, at)),
                *(Outgoing(rejected_event(state, file, at)) for file in rejected),
            ),
        )

    async def _withdraw(self, file: MediaFile) -> MediaFile:
        if file.public is None:
            return file
        await self.copies.remove([file.public.name])
        return file.withdrawn()

    async def _take(
        self, record_id: str, upload: ev.UploadRef, key: "_OneKey", *, protected: bool
    ) -> MediaFile:
        media_id = upload.upload_id
        data, refusal = await self._fetch(upload)
        verdict = refusal or await self.cleaner.clean(data, upload.content_type)
        if isinstance(verdict, Rejected):
            return MediaFile(media_id=media_id, state="rejected", reason=verdict.reason)
        sealer = await key.get()
        sealed = await asyncio.to_thread(sealer.seal, sealed_name(media_id), data)
        await self.originals.put(record_id, media_id, sealed)
        file = MediaFile(
            media_id=media_id,
            state="stored",
            reason=NoCopyReason.NO_CLEAN_COPY_FOR_TYPE,
            content_type=verdict.content_type,
            size=len(data),
        )
        if verdict.clean_copy is None:
            return file
        token = await self.tokens.token(record_id, media_id)
        if protected:
            # An earlier attempt may have published before the protection was known.
            await self.copies.remove(possible_copy_names(token))
            return file.withdrawn()
        public = _described(verdict.clean_copy, token)
        await self.copies.put(public.name, verdict.clean_copy)
        return file.published(public)

    async def _fetch(self, upload: ev.UploadRef) -> tuple[bytes, Rejected | None]:
        if upload.size > self.max_bytes:
            return b"", Rejected(reason=RejectionReason.TOO_LARGE)
        data = await self.incoming.fetch(upload.upload_id)
        if data is None:
            return b"", Rejected(reason=RejectionReason.MISSING)
        digest = await asyncio.to_thread(hashlib.sha256, data)
        if len(data) != upload.size or digest.hexdigest() != upload.sha256.lower():
            return b"", Rejected(reason=RejectionReason.CHANGED)
        return data, None

    async def discard(self, upload_ids: Iterable[str]) -> None:
        """Removes the incoming bytes of uploads whose outcome is recorded."""
        for upload_id in upload_ids:
            await self.incoming.discard(upload_id)


class _OneKey:
    """Several files of one record share one key and one use of it; without a file there is no
    key."""

    def __init__(self, seals: Seals, record_id: str) -> None:
        self._seals = seals
        self._record_id = record_id
        self._sealer: Sealer | None = None

    async def get(self) -> Sealer:
        if self._sealer is None:
            self._sealer = await self._seals.sealer(self._record_id)
        return self._sealer


def _described(copy: CleanCopy, token: str) -> PublicCopy:
    return PublicCopy(
        name=copy_name(token, copy.content_type),
        content_type=copy.content_type,
        size=len(copy.data),
        sha256=hashlib.sha256(copy.data).hexdigest(),
        width=copy.width,
        height=copy.height,
    )
