"""Rebuilds person indexes under the index keys and reading rules in force.

The values that they are made from are sealed, so this opens them: an access of the service on its
own behalf, recorded for each batch of records before it happens. Hashes of places need no opening,
because a place is not sealed. Under new reading rules geo reads its words again, which also says
whether the address may be public. A request that needs no new value only loses values under keys no
longer in force.

A reporter's own address that was indexed while geo was down is automatically indexed again as geo
reads it (`ReadHomes`); until then its request is treated as protected. While geo does not answer, a
request whose address is opened, or whose place must be read again, stays unchanged and counts as
failed, so that geo's earlier reading of a protected home is not replaced by the typed text.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from direct311.intake.caller import SELF
from direct311.intake.indexes.domain.kinds import FIELDS, KIND_OF, KINDS
from direct311.intake.indexes.handlers.places import place_values
from direct311.intake.indexes.ports import Addresses, Home, PersonIndexes, ReadAddress
from direct311.intake.protection.handlers.address_index import PATIENCE
from direct311.intake.protection.handlers.senders import of_senders
from direct311.intake.protection.ports import Indexed
from direct311.intake.request import READINGS, SENDERS, SUPERSEDED, UPDATE_CONTACTS, ServiceRequest
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import RecordFacts
from direct311.runtime.clock import Clock
from direct311.runtime.errors import TransientError
from direct311.runtime.messaging.records import EventProcessor
from direct311.runtime.messaging.state import Change
from direct311.runtime.storage.jobs import Batch
from direct311.runtime.vault.vault import Vault
from direct311.schemas import derived_id
from direct311.schemas.events import AddressRead

CLOSED = "the keys of some requests are missing or do not open"
UNREAD = "geo did not read some addresses: start this again once it answers"
SIZE = 100
"""The records in a batch: as many as one access event names."""
SIZE_OF_HOMES = 20
"""The homes in a batch, which are read one after the other, each for as long as a submission
waits."""
_CAUSE = "5a8f6a0e-31c2-5f0b-9d53-1f6e0d2c7b44"
Reread = Callable[[ServiceRequest], ServiceRequest]
Compare = Callable[[ServiceRequest, ServiceRequest], Change[ServiceRequest]]
"""The change from the first to the second, with the protection registry's current decision."""


class Reindex:
    """The work of `direct311 keys reindex`, batch by batch."""

    def __init__(
        self,
        requests: Indexed,
        processor: EventProcessor[ServiceRequest],
        vault: Vault,
        indexes: PersonIndexes,
        home: Home,
        addresses: Addresses,
        compare: Compare,
        newest: Callable[[], Awaitable[int]],
    ) -> None:
        self._requests = requests
        self._processor = processor
        self._vault = vault
        self._indexes = indexes
        self._home = home
        self._addresses = addresses
        self._compare = compare
        self._newest = newest

    async def left(self) -> int:
        return await self._requests.count_otherwise(self._indexes.versions)

    async def batch(self, after: str, reference: str) -> Batch:
        """:raises RefusedError: the access could not be recorded; nothing was opened.
        :raises TransientError: this copy has older keys than another, or the database is down.
        """
        versions = self._indexes.versions
        if await self._newest() > versions[0]:
            raise TransientError("another copy has newer index keys than this one")
        return await self._anew(
            await self._requests.indexed_otherwise(versions, after, SIZE), versions, reference
        )

    async def homes(self, after: str) -> Batch:
        """Like `batch`, for the next few requests whose reporter's own address geo has yet to read.
        Nobody ordered this: it is part of accepting the request, and has no reference."""
        versions = self._indexes.versions
        if await self._newest() > versions[0]:
            raise TransientError("another copy has newer index keys than this one")
        return await self._anew(
            await self._requests.homes_unread(after, SIZE_OF_HOMES), versions, None
        )

    async def _anew(
        self, found: Sequence[ServiceRequest], versions: tuple[int, ...], reference: str | None
    ) -> Batch:
        if not found:
            return Batch()
        seen = {request.record_id: request for request in found}
        sealed = {
            request.record_id: {field: request.sealed[field] for field in lacking}
            for request in found
            if (lacking := self._lacking(request))
        }
        plain = await self._open(sealed, reference)
        homes = {
            record_id: await self._home(fields["reporter_address"])
            for record_id, fields in plain.items()
            if fields.get("reporter_address")
        }
        places, unread = await self._read_again(found)
        moved: set[str] = set()
        again: set[str] = set()

        async def decide(state: ServiceRequest) -> Change[ServiceRequest] | None:
            moved.discard(state.record_id)
            if state.lifecycle != "active":
                return None
            if state.sealed != seen[state.record_id].sealed:
                again.add(state.record_id)
                return None
            moved.add(state.record_id)
            before = state
            if (reread := places.get(state.record_id)) is not None:
                state = reread(state)
            indexes = self._fresh(state, plain.get(state.record_id))
            unread_at = state.home_unread_at
            if state.record_id in homes:
                indexes["home"] = homes[state.record_id].values
                unread_at = None
            return self._compare(before, state.reindexed(indexes, versions, unread_at))

        unsettled = {each for each, home in homes.items() if not home.settled} | unread
        left = (sealed.keys() - plain.keys()) | unsettled
        able = [each for each in seen if each not in left]
        await self._processor.change_each(
            {
                each: derived_id(_CAUSE, f"{each}:{versions}:{READINGS}:{seen[each].version}")
                for each in able
            },
            decide,
        )
        closed = len(sealed.keys() - plain.keys())
        reasons = [CLOSED] if closed else []
        if unsettled:
            reasons.append(UNREAD)
        # Requests sealed again in the meantime count too, so that a further pass covers them.
        return Batch(
            found[-1].record_id,
            len(moved | again),
            len(left),
            "; ".join(reasons) or None,
        )

    async def _read_again(
        self, found: Sequence[ServiceRequest]
    ) -> tuple[Mapping[str, Reread], set[str]]:
        """A function that updates requests whose places were read under older rules to geo's
        current reading, and the requests that geo did not answer for."""
        anew: dict[str, Reread] = {}
        unread: set[str] = set()
        for request in found:
            given = request.place
            worded = given.address or given.address_id
            if not worded or request.located is None or not _is_behind(request):
                continue
            try:
                read = await self._addresses.normalise(given.address or "", given)
            except TransientError:
                unread.add(request.record_id)
            else:
                anew[request.record_id] = partial(_reread, read or ReadAddress(None))
        return anew, unread

    async def _open(
        self, sealed: Mapping[str, Mapping[str, bytes]], reference: str | None
    ) -> Mapping[str, Mapping[str, str]]:
        if not sealed:
            return {}
        held = {field for fields in sealed.values() for field in fields}
        named = FIELDS if held & set(FIELDS) - {"reporter_address"} else ("reporter_address",)
        access = Access(
            SELF,
            action="key_use",
            purpose="county_business" if reference else "respond",
            operation="make person indexes anew",
            fields=tuple(
                each
                for fields in (named, (UPDATE_CONTACTS,))
                if not held.isdisjoint(fields)
                for each in fields
            ),
            record_ids=tuple(sealed),
            reference=reference,
            result_count=len(sealed),
        )
        opened = await self._vault.open_each(access, RecordFacts(), sealed)
        return {
            record_id: {field: value.decode() for field, value in values.items()}
            for record_id, values in opened.items()
        }

    def _lacking(self, request: ServiceRequest) -> tuple[str, ...]:
        """The fields whose values are not indexed under all keys in force, or were indexed under
        older reading rules or without geo."""
        lacking = set() if self._has_all(request, KINDS) else set(FIELDS)
        if _is_behind(request):
            lacking.update((*FIELDS, UPDATE_CONTACTS))
        if not request.index_versions:
            lacking.add("reporter_address")
        if not self._has_all(request, (SENDERS,)):
            lacking.add(UPDATE_CONTACTS)
        lacking &= request.sealed.keys()
        return tuple(each for each in (*FIELDS, UPDATE_CONTACTS) if each in lacking)

    def _has_all(self, request: ServiceRequest, kinds: tuple[str, ...]) -> bool:
        stored = {_version(value) for kind in kinds for value in request.indexes.get(kind, ())}
        return stored.issuperset(self._indexes.versions)

    def _fresh(
        self, state: ServiceRequest, plain: Mapping[str, str] | None
    ) -> dict[str, tuple[str, ...]]:
        in_force = set(self._indexes.versions)
        opened = plain or {}
        anew = {SENDERS} if UPDATE_CONTACTS in opened else set()
        anew |= {KIND_OF[field] for field in FIELDS if field in opened}
        kept = {
            kind: tuple(each for each in state.indexes[kind] if _version(each) in in_force)
            # The text from which the values of `earlier` could be made again is no longer stored.
            for kind in (SUPERSEDED, SENDERS, *KINDS)
            if kind in state.indexes and kind not in anew
        }
        indexes = {kind: values for kind, values in kept.items() if values}
        indexes |= self._indexes.of(opened)
        if UPDATE_CONTACTS in opened and (
            senders := of_senders(self._indexes, json.loads(opened[UPDATE_CONTACTS]))
        ):
            indexes[SENDERS] = senders
        if "place" in state.indexes and state.located is not None:
            return {**indexes, "place": place_values(self._indexes.place, state)}
        return dict(indexes)


class ReadHomes:
    """Lets geo read the reporters' own addresses that it did not answer for, a few at a time.

    Each batch is an access of the service on its own behalf, recorded before it happens; while geo
    does not answer, nothing is opened. Addresses that a whole pass could not read wait a minute.
    """

    def __init__(
        self, reindex: Reindex, requests: Indexed, addresses: Addresses, clock: Clock
    ) -> None:
        self._reindex = reindex
        self._requests = requests
        self._addresses = addresses
        self._clock = clock
        self._after = ""
        self._failed = 0
        self._not_before: datetime | None = None

    async def step(self) -> None:
        """:raises RefusedError: as for `Reindex.batch`. :raises TransientError: likewise, and if
        geo does not answer.
        """
        now = self._clock.now()
        if self._not_before is not None and now < self._not_before:
            return
        if not await self._requests.homes_unread(self._after, 1):
            self._not_before = now + PAUSE if self._failed else None
            self._after, self._failed = "", 0
            return
        async with asyncio.timeout(PATIENCE):
            await self._addresses.normalise(_ANY_ADDRESS)
        done = await self._reindex.homes(self._after)
        self._after = done.last or ""
        self._failed += done.failed


PAUSE = timedelta(minutes=1)
_ANY_ADDRESS = "1 NW 1 ST"


def _is_behind(request: ServiceRequest) -> bool:
    return request.index_readings != READINGS


def _reread(read: ReadAddress, request: ServiceRequest) -> ServiceRequest:
    """The request with the words of its place as geo reads them now."""
    latitude, longitude = read.point or (None, None)
    said = AddressRead(
        known=read.known,
        readings=read.readings,
        latitude=latitude,
        longitude=longitude,
        error_m=read.error_m if read.point else None,
    )
    located = request.located
    return request.reread(said, located and located.reread(read.line, known=read.known))


def _version(hashed: str) -> int:
    return int(hashed.partition(":")[0])
