"""The use cases: take uploads in, withdraw copies, follow the job, destroy, sweep.

Every step may run again after a crash at any line. Names are derived, so that a repeat writes over
what was written; the originals go first, so that whatever lies in the public bucket can be found
from what lies in the sealed one; the document with its event comes last, and the incoming bytes are
removed after it.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from direct311.media.domain import (
    CleanCopy,
    MediaFile,
    NoCopyReason,
    PublicCopy,
    RecordMedia,
    Rejected,
    RejectionReason,
    copy_name,
    possible_copy_names,
    rejected_event,
    stored_event,
)
from direct311.media.ports import (
    Cleaner,
    Copies,
    Holdings,
    Incoming,
    Originals,
    Sealer,
    Seals,
    Tokens,
)
from direct311.runtime.clock import Clock
from direct311.runtime.disposition import Destroyed
from direct311.runtime.messaging.state import Change, Outgoing
from direct311.schemas import Event
from direct311.schemas import events as ev

SEALED_FIELD = "media_original"
"""The name by which rules of access speak of originals."""


def sealed_name(media_id: str) -> str:
    """What binds a ciphertext to its upload; record and version are bound by the key."""
    return f"{SEALED_FIELD}/{media_id}"


@dataclass(frozen=True, slots=True)
class TakeUploads:
    """Takes in what a request brings, and withdraws copies when the record becomes protected."""

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
        after = state.model_copy(update={"protected": protected, "files": tuple(files)})
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
        return file.model_copy(update={"reason": None, "public": public})

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
        """Removes the incoming bytes of uploads whose outcome is written down."""
        for upload_id in upload_ids:
            await self.incoming.discard(upload_id)


class _OneKey:
    """Several files of one record share one key, and one use of it; no file, no key."""

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


# ---------------------------------------------------------------- the job, and its end


async def follow_routed(
    state: RecordMedia, event: Event[ev.RequestRouted]
) -> Change[RecordMedia] | None:
    """Whose job it is decides who may read originals to respond."""
    if not (state.files or event.data.protected):
        # There is nothing to read, and with the first file comes a revision; of a protected record
        # none comes, since its files are in no announcement.
        return None
    # Another topic than request.recalled: a recall may come before the routing that it takes back.
    if state.seen.get("request.recalled", 0) > event.data.version:
        return None
    return Change(state.model_copy(update={"department": event.data.department}))


async def follow_recalled(
    state: RecordMedia, event: Event[ev.RequestRecalled]
) -> Change[RecordMedia] | None:
    # Another topic than request.routed: a recall may come after the routing that followed it.
    routed_since = state.seen.get("request.routed", 0) > event.data.version
    if routed_since or state.department != event.data.department:
        # Seen all the same, for a routing that is still to come.
        return Change(state)
    return Change(state.model_copy(update={"department": None}))


async def note_expired(
    state: RecordMedia, event: Event[ev.RecordExpired]
) -> Change[RecordMedia] | None:
    """Eligible is not ordered: the date is noted, nothing else happens."""
    if not state.files:
        return None
    return Change(state.model_copy(update={"eligible_on": event.data.eligible_on}))


@dataclass(frozen=True, slots=True)
class DestroyMedia:
    """Deletes everything of a record outside its document and its key."""

    originals: Originals
    copies: Copies
    tokens: Tokens

    async def __call__(self, state: RecordMedia) -> Destroyed:
        """What the record had, also when an earlier attempt has deleted part of it."""
        kept = [file for file in state.files if file.state != "rejected"]
        public = [file.public for file in kept if file.public is not None]
        # An attempt whose document was never written has left its original, if it left a copy.
        ids = {file.media_id for file in kept}
        ids.update(await self.originals.of_record(state.record_id))
        for media_id in sorted(ids):
            token = await self.tokens.token(state.record_id, media_id)
            await self.copies.remove(possible_copy_names(token))
        objects, size = await self.originals.remove_all(state.record_id)
        return Destroyed(
            documents=int(state.version > 1),
            fields=len(kept),
            objects=max(objects, len(kept)) + len(public),
            bytes=max(size, sum(file.size for file in kept)) + sum(copy.size for copy in public),
        )


# ---------------------------------------------------------------- the sweep


@dataclass(frozen=True, slots=True)
class Sweep:
    """Removes what a crash left behind.

    Bytes that wait and are written down go at once. Bytes of which no request is known go after
    `abandoned_after`, which must be longer than the longest stoppage between intake's accepting a
    request and media's hearing of it that is to be survived. Copies that no document names, and
    originals whose record has no living document, go after `grace`.
    """

    incoming: Incoming
    originals: Originals
    copies: Copies
    holdings: Holdings
    clock: Clock
    abandoned_after: timedelta
    grace: timedelta = timedelta(days=1)

    async def waiting(self) -> int:
        """Sweeps the incoming bucket; how many objects went."""
        waiting = await self.incoming.waiting()
        known = await self.holdings.known_uploads([upload_id for upload_id, _ in waiting])
        limit = self.clock.now() - self.abandoned_after
        gone = [upload_id for upload_id, at in waiting if upload_id in known or at < limit]
        for upload_id in gone:
            await self.incoming.discard(upload_id)
        return len(gone)

    async def shard(self, shard: int) -> int:
        """Sweeps one of 256 shards of the two other buckets; how many objects went."""
        limit = self.clock.now() - self.grace
        names = await self.copies.names_of_shard(shard, limit)
        orphans = set(names) - await self.holdings.named_copies(names)
        await self.copies.remove(sorted(orphans))
        records = await self.originals.records_of_shard(shard, limit)
        dead = set(records) - await self.holdings.living_records(records)
        removed = [await self.originals.remove_all(record_id) for record_id in sorted(dead)]
        return len(orphans) + sum(objects for objects, _ in removed)


SHARDS = 256


def shard_of_the_minute(at: datetime) -> int:
    """Which shard's turn it is: all of them in four and a quarter hours, without a memory."""
    return int(at.timestamp() // 60) % SHARDS
