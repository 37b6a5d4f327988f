"""Entering, reading and ending protections."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Protocol

from direct311.intake.domain.county import day_of
from direct311.intake.domain.protection import SERIES, Disposal, Protection
from direct311.intake.ports import Addresses, PersonIndexes, ReadAddress
from direct311.runtime.access import Caller, RecordFacts
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.ledger import Access
from direct311.runtime.persons import same_person
from direct311.runtime.vault import Vault
from direct311.schemas.events import AccessAction

EARLIEST = date(1970, 1, 1)
"""No written request is older than the law that it cites."""

NEAR_ENOUGH = 50.0
"""Metres to which geo must know where a home lies for its point to be entered with its address: the
nine cells around a point reach 50 m beyond it on each side, so the home itself lies in them."""

Recheck = Callable[[Sequence[str]], Awaitable[None]]
"""Hold the requests that have one of these hashes against the registry again."""


class ProtectionStore(Protocol):
    async def add(self, protection: Protection) -> int:
        """Store an entry; the registry's new version."""
        ...

    async def withdraw(self, protection_id: str, at: datetime, by: str) -> tuple[str, ...] | None:
        """End an entry. The hashes that it had; `None` where none is in force."""
        ...

    async def get(self, protection_id: str) -> Protection | None: ...

    async def propose_disposal(self, protection_id: str, at: datetime, by: str) -> None:
        """Note who wants a withdrawn entry destroyed; the first who does."""
        ...

    async def dispose(self, disposal: Disposal) -> None:
        """Put this in the place of the entry, where it still stands as it was proposed."""
        ...

    async def disposal(self, protection_id: str) -> Disposal | None: ...

    async def entries(
        self, *, in_force: bool | None, after: str, limit: int
    ) -> Sequence[Protection]:
        """The next entries by id."""
        ...


class Protect:
    """Use cases of a custodian. Each is an event of the audit log.

    :param settling: how long until every copy of the service has read a changed registry.
    """

    def __init__(
        self,
        store: ProtectionStore,
        indexes: PersonIndexes,
        addresses: Addresses,
        recheck: Recheck,
        vault: Vault,
        clock: Clock,
        ids: Ids,
        settling: timedelta,
    ) -> None:
        self._store = store
        self._indexes = indexes
        self._addresses = addresses
        self._recheck = recheck
        self._vault = vault
        self._clock = clock
        self._ids = ids
        self._settling = settling

    async def add(
        self,
        caller: Caller,
        reference: str,
        citation: str,
        identifiers: Mapping[str, str],
        point: tuple[float, float] | None,
        received_on: date | None = None,
    ) -> tuple[Protection, int]:
        """The entry and the registry's version with it. With an address whose position geo knows
        well, and no other `point`, the position is entered too, for requests that have a pin on
        the home and no address; `kinds` then has `point`.

        When this returns, every copy of the service knows the entry, and what was there before is
        out of the public's sight.

        :raises RefusedError: 422 an identifier that cannot be one of its kind, or none at all, or a
            day to come.
        """
        now = self._clock.now()
        today = day_of(now)
        if received_on is not None and not EARLIEST <= received_on <= today:
            raise RefusedError(
                422,
                "malformed",
                f"The request came on a day from {EARLIEST} to today.",
                field="received_on",
            )
        hashes: list[str] = []
        kinds: list[str] = []
        for field, value in identifiers.items():
            if field == "address":
                read = await self._read(value)
                found = self._indexes.place(read.line, None, None) if read else ()
                if point is None and read and read.error_m <= NEAR_ENOUGH:
                    point = read.point
            else:
                found = self._indexes.person(field, value)
            if not found:
                raise RefusedError(
                    422, "malformed", "The value cannot be one of this kind.", field=field
                )
            kinds.append(field)
            hashes += found
        if point is not None:
            kinds.append("point")
            hashes += self._indexes.around(*point)
        if not hashes:
            raise RefusedError(422, "malformed", "Give at least one identifier.", field="phone")
        await self._vault.authorise(
            _access(caller, "policy_change", "POST /v1/protections", reference), RecordFacts()
        )
        protection = Protection(
            protection_id=self._ids.new(),
            reference=reference,
            citation=citation,
            kinds=tuple(kinds),
            hashes=tuple(hashes),
            received_at=now,
            received_on=received_on or today,
            entered_by=caller.sub,
        )
        version = await self._store.add(protection)
        await self._take_effect(hashes)
        return protection, version

    async def _take_effect(self, hashes: Sequence[str]) -> None:
        # At once for what is there, and once more for what another copy, which had not read the
        # change yet, has shown meanwhile. Should this end half way, the job of every few seconds
        # does the same for all records.
        await self._recheck(hashes)
        await asyncio.sleep(self._settling.total_seconds())
        await self._recheck(hashes)

    async def _read(self, address: str) -> ReadAddress | None:
        try:
            return await self._addresses.normalise(address)
        except TransientError:
            raise RefusedError(
                503, "geo_unavailable", "Addresses cannot be read now; try again.", retry_after=5
            ) from None

    async def withdraw(self, caller: Caller, protection_id: str) -> None:
        """:raises RefusedError: 404 where none is in force."""
        await self._vault.authorise(
            _access(
                caller, "policy_change", "DELETE /v1/protections/{protection_id}", protection_id
            ),
            RecordFacts(),
        )
        hashes = await self._store.withdraw(protection_id, self._clock.now(), caller.sub)
        if hashes is None:
            raise RefusedError(404, "not_found", "There is no such protection in force.")
        await self._recheck(hashes)

    async def one(self, caller: Caller, protection_id: str) -> Protection:
        """:raises RefusedError: 404 there never was one."""
        await self._vault.authorise(
            _access(caller, "view", "GET /v1/protections/{protection_id}", protection_id),
            RecordFacts(),
        )
        found = await self._store.get(protection_id)
        if found is None:
            raise RefusedError(404, "not_found", "There is no such protection.")
        return found

    async def propose_disposal(self, caller: Caller, protection_id: str) -> Protection:
        """A custodian finds that the time of an entry is over. Nothing is destroyed by that.

        :raises RefusedError: 404 there is none, 409 it is in force.
        """
        await self._withdrawn(protection_id)
        operation = "POST /v1/protections/{protection_id}/disposal"
        await self._vault.authorise(
            _access(caller, "policy_change", operation, protection_id, "retention"), RecordFacts()
        )
        await self._store.propose_disposal(protection_id, self._clock.now(), caller.sub)
        return await self._withdrawn(protection_id)

    async def dispose(self, caller: Caller, protection_id: str) -> Disposal:
        """Destroy an entry, as another person than the one who proposed it. What is left says that
        there was one, and who has destroyed it. A repeat finds the same.

        :raises RefusedError: 404 there is none, 409 it is in force or not proposed, 403 the same
            person.
        """
        if (done := await self._store.disposal(protection_id)) is not None:
            return done
        found = await self._withdrawn(protection_id)
        if found.disposal_proposed_by is None or found.disposal_proposed_at is None:
            raise RefusedError(409, "not_proposed", "A custodian proposes the disposal first.")
        if same_person(caller.sub, found.disposal_proposed_by):
            raise RefusedError(
                403, "same_person", "Another person than the custodian who proposed approves."
            )
        operation = "POST /v1/protections/{protection_id}/disposal/approval"
        await self._vault.authorise(
            _access(caller, "destroy", operation, protection_id, "retention"), RecordFacts()
        )
        disposal = Disposal(
            protection_id=protection_id,
            received_on=found.received_on or day_of(found.received_at),
            withdrawn_at=found.withdrawn_at or self._clock.now(),
            proposed_at=found.disposal_proposed_at,
            proposed_by=found.disposal_proposed_by,
            disposed_at=self._clock.now(),
            approved_by=caller.sub,
        )
        await self._store.dispose(disposal)
        done = await self._store.disposal(protection_id)
        if done is None:
            raise TransientError("the entry has changed meanwhile")
        return done

    async def disposal(self, caller: Caller, protection_id: str) -> Disposal:
        """:raises RefusedError: 404 no such entry was destroyed."""
        operation = "GET /v1/protections/{protection_id}/disposal"
        await self._vault.authorise(
            _access(caller, "view", operation, protection_id, "retention"), RecordFacts()
        )
        found = await self._store.disposal(protection_id)
        if found is None:
            raise RefusedError(404, "not_found", "No such entry was destroyed.")
        return found

    async def _withdrawn(self, protection_id: str) -> Protection:
        found = await self._store.get(protection_id)
        if found is None:
            raise RefusedError(404, "not_found", "There is no such protection.")
        if found.withdrawn_at is None:
            raise RefusedError(
                409, "in_force", "It is in force, and so is its time: it must be withdrawn first."
            )
        return found

    async def entries(
        self, caller: Caller, *, in_force: bool | None, after: str, limit: int
    ) -> Sequence[Protection]:
        """The next entries by id, those that were withdrawn too unless they are not asked for."""
        found = await self._store.entries(in_force=in_force, after=after, limit=limit)
        # The file that a list serves is the series itself.
        await self._vault.authorise(
            _access(caller, "view", "GET /v1/protections", SERIES), RecordFacts()
        )
        return found


def _access(
    caller: Caller,
    action: AccessAction,
    operation: str,
    reference: str,
    purpose: str = "county_business",
) -> Access:
    return Access(
        caller,
        action=action,
        purpose=purpose,
        operation=operation,
        reference=reference,
    )
