"""The use cases: follow the job, note that a record is eligible, destroy, sweep."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from direct311.media.lifecycle.ports import Holdings
from direct311.media.ports import Copies, Incoming, Originals, Tokens
from direct311.media.record import RecordMedia, possible_copy_names
from direct311.runtime.clock import Clock
from direct311.runtime.disposition import Destroyed
from direct311.runtime.messaging.state import Change
from direct311.schemas import Event
from direct311.schemas import events as ev


async def follow_routed(
    state: RecordMedia, event: Event[ev.RequestRouted]
) -> Change[RecordMedia] | None:
    """The department with the job may read originals to respond."""
    if not (state.files or event.data.protected):
        # There is nothing to read yet, and the first file brings a revision. A protected record
        # gets none, since no announcement lists its files.
        return None
    # This and request.recalled are different topics: a recall may arrive before the routing that it
    # takes back.
    if state.seen.get("request.recalled", 0) > event.data.version:
        return None
    return Change(state.assigned(event.data.department))


async def follow_recalled(
    state: RecordMedia, event: Event[ev.RequestRecalled]
) -> Change[RecordMedia] | None:
    # This and request.routed are different topics: a recall may arrive after the routing that
    # followed it.
    routed_since = state.seen.get("request.routed", 0) > event.data.version
    if routed_since or state.department != event.data.department:
        # Marked as seen anyway, for a routing that is still to come.
        return Change(state)
    return Change(state.recalled())


async def note_expired(
    state: RecordMedia, event: Event[ev.RecordExpired]
) -> Change[RecordMedia] | None:
    """Eligible is not ordered: the date is noted, nothing else happens."""
    if not state.files:
        return None
    return Change(state.expired(event.data.eligible_on))


@dataclass(frozen=True, slots=True)
class DestroyMedia:
    """Deletes everything of a record outside its document and its key."""

    originals: Originals
    copies: Copies
    tokens: Tokens

    async def __call__(self, state: RecordMedia) -> Destroyed:
        """What the record had, even if an earlier attempt deleted part of it."""
        kept = [file for file in state.files if file.state != "rejected"]
        public = [file.public for file in kept if file.public is not None]
        # If an attempt whose document was never written left a copy, it also left its original.
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


@dataclass(frozen=True, slots=True)
class Sweep:
    """Removes what a crash left behind.

    Waiting bytes whose outcome is recorded are removed at once. Bytes without a known request are
    removed after `abandoned_after`, which must be longer than the longest outage to survive between
    intake's accepting a request and media's learning of it. Copies that no document names, and
    originals whose record has no living document, are removed after `grace`.
    """

    incoming: Incoming
    originals: Originals
    copies: Copies
    holdings: Holdings
    clock: Clock
    abandoned_after: timedelta
    grace: timedelta = timedelta(days=1)

    async def waiting(self) -> int:
        """Sweeps the incoming bucket; returns how many objects were removed."""
        waiting = await self.incoming.waiting()
        known = await self.holdings.known_uploads([upload_id for upload_id, _ in waiting])
        limit = self.clock.now() - self.abandoned_after
        gone = [upload_id for upload_id, at in waiting if upload_id in known or at < limit]
        for upload_id in gone:
            await self.incoming.discard(upload_id)
        return len(gone)

    async def shard(self, shard: int) -> int:
        """Sweeps one of 256 shards of the two other buckets; returns how many objects were
        removed."""
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
    """Which shard's turn it is: covers all of them in four and a quarter hours, without stored
    state."""
    return int(at.timestamp() // 60) % SHARDS
