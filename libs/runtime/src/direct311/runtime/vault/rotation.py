"""Rotation of key-encryption keys: which are in use, whether they are the right ones, and
re-wrapping every data key under the current one.

Re-wrapping opens no field: a data key is unwrapped, wrapped again, and stored only if the old
wrapped key is still there. A key that was destroyed in the meantime stays destroyed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Protocol

from direct311.runtime.access.in_force import InForce
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError
from direct311.runtime.loops import Loop
from direct311.runtime.messaging.relay import Lease
from direct311.runtime.storage.database import Collection, Database
from direct311.runtime.storage.jobs import Batch, Job, Progress, Work
from direct311.runtime.vault.keys import KeyProvider, KeyProviderError
from direct311.runtime.vault.vault import RecordKey, Vault
from direct311.schemas.model import Model

CHECK = sha256(b"direct311 key check").digest()
"""A value that each key-encryption key wraps, to distinguish it from another key with the same
id."""
CHECK_CONTEXT = "direct311:key-check"


class WrappedKeys(Protocol):
    """A service's wrapped data keys, grouped by the key-encryption keys that they need."""

    async def not_under(self, kek_id: str, after: str, limit: int) -> Sequence[RecordKey]:
        """The next data keys, in order of id, that another key-encryption key wraps."""
        ...

    async def rewrap(self, pairs: Sequence[tuple[RecordKey, RecordKey]]) -> int:
        """Replace the first with the second if the first is still there; returns how many were
        replaced.

        :raises TransientError: the database did not store all; may be repeated.
        """
        ...

    async def counts(self) -> Mapping[str, int]:
        """How many keys each key-encryption key wraps."""
        ...

    async def under(self, kek_id: str) -> RecordKey | None:
        """Any key that this one wraps."""
        ...


class Shared(Protocol):
    """What the loops of a rotation need of their process."""

    in_force: InForce

    def lease(self, name: str, length: timedelta = ...) -> Lease: ...


class Rewrapping:
    """The work of a rotation, batch by batch."""

    SIZE = 200

    def __init__(self, keys: WrappedKeys, provider: KeyProvider) -> None:
        self._keys = keys
        self._provider = provider

    async def batch(self, after: str, reference: str) -> Batch:
        """Opens nothing, so there is no access that needs the `reference`.

        :raises KeyServiceError: the server of the keys does not answer or refuses."""
        current = await self._provider.current()
        found = await self._keys.not_under(current, after, self.SIZE)
        if not found:
            return Batch()
        fresh = await asyncio.gather(*(self._again(key) for key in found))
        pairs = [
            (old, new) for old, new in zip(found, fresh, strict=True) if isinstance(new, RecordKey)
        ]
        failures = [each for each in fresh if isinstance(each, KeyProviderError)]
        done = await self._keys.rewrap(pairs) if pairs else 0
        reason = str(failures[0]) if failures else None
        return Batch(found[-1].record_id, done, len(failures), reason)

    async def left(self) -> int:
        current = await self._provider.current()
        return sum(count for kek, count in (await self._keys.counts()).items() if kek != current)

    async def _again(self, key: RecordKey) -> RecordKey | KeyProviderError:
        try:
            plain = await self._provider.unwrap(key.kek_id, key.wrapped, key.record_id)
        except KeyProviderError as error:
            return error
        kek_id, wrapped = await self._provider.wrap(plain, key.record_id)
        return RecordKey(key.record_id, kek_id, wrapped, key.created_at)


class KeyChecks:
    """Remembers each key-encryption key in use, by a value that it wrapped."""

    def __init__(
        self, collection: Collection, keys: WrappedKeys, provider: KeyProvider, clock: Clock
    ) -> None:
        self._collection = collection
        self._keys = keys
        self._provider = provider
        self._clock = clock

    async def check(self) -> None:
        """:raises KeyProviderError: a key that data keys still need is missing or has changed.
        :raises KeyServiceError: the server of the keys does not answer or refuses.
        """
        known = {document["_id"]: document async for document in self._collection.find({})}
        if not known:
            # A database from before there were check values.
            known = {kek_id: {} for kek_id in await self._keys.counts()}
        for kek_id, document in known.items():
            await self._check(kek_id, document.get("wrapped"))
        await self.note()

    async def note(self) -> None:
        """Remember the current key, if it is new."""
        current = await self._provider.current()
        document = await self._collection.find_one({"_id": current})
        if document is None or document["wrapped"] is None:
            # Another version may become current between the two calls; then that version is noted.
            kek_id, wrapped = await self._provider.wrap(CHECK, CHECK_CONTEXT)
            await self._remember(kek_id, wrapped)

    async def forget_unused(self) -> None:
        """Forget keys that no data key needs any more."""
        current = await self._provider.current()
        if await self._collection.find_one({"_id": {"$ne": current}}) is None:
            return
        needed = {*(await self._keys.counts()), current}
        await self._collection.delete_many({"_id": {"$nin": sorted(needed)}})

    async def _check(self, kek_id: str, wrapped: bytes | None) -> None:
        try:
            if wrapped is not None:
                plain = await self._provider.unwrap(kek_id, bytes(wrapped), CHECK_CONTEXT)
                if plain != CHECK:
                    raise KeyProviderError(f"{kek_id} is not the key used until now")
            elif (key := await self._keys.under(kek_id)) is not None:
                await self._provider.unwrap(kek_id, key.wrapped, key.record_id)
                await self._remember(kek_id, None)
        except KeyProviderError as error:
            count = (await self._keys.counts()).get(kek_id, 0)
            if count:
                raise KeyProviderError(
                    f"{count} data keys need {kek_id}, which cannot be used: {error}. Put the key "
                    "back; you can remove it once `direct311 keys rotate` is done."
                ) from None
            await self._collection.delete_one({"_id": kek_id})

    async def _remember(self, kek_id: str, wrapped: bytes | None) -> None:
        await self._collection.update_one(
            {"_id": kek_id},
            {"$set": {"wrapped": wrapped}, "$setOnInsert": {"since": self._clock.now()}},
            upsert=True,
        )


class KeyRotation:
    """Key maintenance for a service with a vault: the check at the start, the jobs that an operator
    starts, and the state of both."""

    EVERY = timedelta(seconds=5)
    NOTED_EVERY = timedelta(minutes=1)

    def __init__(
        self,
        keys: WrappedKeys,
        provider: KeyProvider,
        vault: Vault,
        database: Database,
        clock: Clock,
    ) -> None:
        self._keys = keys
        self._provider = provider
        self._vault = vault
        self._database = database
        self._clock = clock
        self.checks = KeyChecks(database["key_checks"], keys, provider, clock)
        self.jobs: dict[str, Job] = {}
        rewrapping = Rewrapping(keys, provider)
        self.add("rewrap", rewrapping.batch, rewrapping.left)

    def add(
        self,
        name: str,
        batch: Work,
        left: Callable[[], Awaitable[int]],
    ) -> None:
        """Another job on keys."""
        self.jobs[name] = Job(name, self._database["key_jobs"], batch, left, self._clock)

    def loops(self, resources: Shared) -> Sequence[Loop]:
        noting = resources.lease("key-checks")

        async def note() -> None:
            resources.in_force.expect("key-encryption key", await self._provider.current())
            await self._note()

        loops = [Loop("key checks", self.NOTED_EVERY, note, noting, self._clock)]
        for name, job in self.jobs.items():
            lease = resources.lease(f"job-{name}", timedelta(seconds=30))

            async def step(job: Job = job, lease: Lease = lease) -> None:
                await job.step(lambda: lease.hold(self._clock.now()))

            loops.append(Loop(f"job {name}", self.EVERY, step, lease, self._clock))
        return loops

    async def _note(self) -> None:
        await self.checks.note()
        if (await self.jobs["rewrap"].progress()).state == "done":
            await self.checks.forget_unused()

    async def state(self) -> "KeyState":
        counts = await self._keys.counts()
        return KeyState(
            current=await self._provider.current(),
            keys=tuple(KeyCount(kek=kek, keys=counts[kek]) for kek in sorted(counts)),
            jobs=tuple([await job.progress() for job in self.jobs.values()]),
        )

    async def command(self, caller: Caller, name: str, what: str, reference: str) -> Progress:
        """Start or stop a job; the audit log records it first.

        :raises RefusedError: no such job, refused by a rule, or not written to the log.
        """
        job = self.jobs.get(name)
        if job is None:
            raise RefusedError("not_found", "There is no such job here.")
        access = Access(
            caller,
            action="policy_change",
            purpose="county_business",
            operation=f"POST /internal/keys/{name}/{what}",
            reference=reference,
        )
        await self._vault.authorise(access, RecordFacts())
        return await (job.start(reference) if what == "start" else job.stop())


class KeyCount(Model):
    """How many data keys a key-encryption key wraps."""

    kek: str
    keys: int


class KeyState(Model):
    """`current` wraps new data keys. Nothing in this database needs a key-encryption key that is
    neither current nor in `keys`; backups may still need it."""

    current: str
    keys: tuple[KeyCount, ...]
    jobs: tuple[Progress, ...]
