"""Entering, reading and ending protections."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Protocol

from direct311.intake.caller import SELF
from direct311.intake.county import day_of
from direct311.intake.indexes.domain.reach import POINT_REACH, reach
from direct311.intake.indexes.handlers.places import home_values, own_point
from direct311.intake.indexes.ports import Addresses, PersonIndexes, ReadAddress
from direct311.intake.protection.domain import SERIES, Disposal, Ending, Protection
from direct311.intake.request import READINGS
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.reasons import same_reference
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.persons import same_person
from direct311.runtime.vault.vault import Vault
from direct311.schemas.events import AccessAction

EARLIEST = date(1970, 1, 1)
"""No written request is older than the law it cites."""

Recheck = Callable[[Sequence[str]], Awaitable[None]]
"""Check the requests with one of these hashes against the registry again."""


class ProtectionStore(Protocol):
    async def add(self, protection: Protection) -> int:
        """Store an entry; returns the registry's new version."""
        ...

    async def propose_ending(self, protection_id: str, ending: Ending) -> None:
        """Note who wants an entry in force ended; keeps the first person who does."""
        ...

    async def confirm_ending(self, protection_id: str, ending: Ending) -> None:
        """Replace the same ending with this one, if nobody has confirmed it."""
        ...

    async def undo_ending(self, protection_id: str, ending_id: str) -> None:
        """Cancel an ending, if the entry is in force."""
        ...

    async def due_endings(self, at: datetime) -> Sequence[Protection]:
        """Entries in force that are due to end."""
        ...

    async def end(self, protection_id: str, ending_id: str, at: datetime) -> tuple[str, ...] | None:
        """End an entry, if this ending is due. Returns its hashes; `None` if it is not due."""
        ...

    async def get(self, protection_id: str) -> Protection | None: ...

    async def propose_disposal(self, protection_id: str, at: datetime, by: str) -> None:
        """Note who wants a withdrawn entry destroyed; keeps the first person who does."""
        ...

    async def dispose(self, disposal: Disposal) -> None:
        """Replace the entry with this, if it is still as it was proposed."""
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
    :param undone_within: how long an entry stays in force once two persons have ended it.
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
        undone_within: timedelta,
    ) -> None:
        self._store = store
        self._indexes = indexes
        self._addresses = addresses
        self._recheck = recheck
        self._vault = vault
        self._clock = clock
        self._ids = ids
        self._settling = settling
        self._undone_within = undone_within

    async def add(
        self,
        caller: Caller,
        reference: str,
        citation: str,
        identifiers: Mapping[str, str],
        point: tuple[float, float] | None,
        received_on: date | None = None,
    ) -> tuple[Protection, int]:
        """Returns the entry and the registry's version that includes it. An address is entered in
        all of geo's readings. If geo knows its position accurately, that is entered too, in
        addition to a given `point`, for requests with a pin on the home and no address; `kinds`
        then has `point`.

        When this returns, every copy of the service knows the entry, and earlier requests are
        hidden from the public.

        :raises RefusedError: an identifier that cannot be one of its kind, or none at all, or a
            day to come.
        """
        now = self._clock.now()
        today = day_of(now)
        if received_on is not None and not EARLIEST <= received_on <= today:
            raise RefusedError(
                "malformed",
                f"received_on must be a day from {EARLIEST} to today.",
                field="received_on",
            )
        hashes: list[str] = []
        kinds: list[str] = []
        points = [(*point, POINT_REACH)] if point is not None else []
        for field, value in identifiers.items():
            if field == "address":
                read = await self._read(value)
                # Text that is not a proper address would be entered as the wrong thing.
                found = home_values(self._indexes.place, read) if read and read.line else ()
                if read and (own := own_point(read)) is not None:
                    points.append((*own, reach(read.error_m)))
            else:
                found = self._indexes.person(field, value)
            if not found:
                raise RefusedError(
                    "malformed", f"{field} cannot be used; give it in full.", field=field
                )
            kinds.append(field)
            hashes += found
        if points:
            kinds.append("point")
            hashes += (value for each in points for value in self._indexes.around(*each))
        if not hashes:
            raise RefusedError("malformed", "Give at least one identifier.", field="phone")
        await self._vault.authorise(
            _access(caller, "policy_change", "POST /v1/protections", reference), RecordFacts()
        )
        protection = Protection(
            protection_id=self._ids.new(),
            reference=reference,
            citation=citation,
            kinds=tuple(kinds),
            hashes=tuple(dict.fromkeys(hashes)),
            readings=READINGS,
            received_at=now,
            received_on=received_on or today,
            entered_by=caller.sub,
        )
        version = await self._store.add(protection)
        await self._take_effect(hashes)
        return protection, version

    async def _take_effect(self, hashes: Sequence[str]) -> None:
        # Check existing requests at once, and again those that another copy published before it had
        # read the change. If this stops halfway, the job that runs every few seconds does the same
        # for all records.
        await self._recheck(hashes)
        await asyncio.sleep(self._settling.total_seconds())
        await self._recheck(hashes)

    async def _read(self, address: str) -> ReadAddress | None:
        try:
            return await self._addresses.normalise(address)
        except TransientError:
            raise RefusedError(
                "geo_unavailable", "Addresses cannot be read now; try again.", retry_after=5
            ) from None

    async def propose_ending(
        self, caller: Caller, protection_id: str, reference: str
    ) -> Protection:
        """A custodian has the person's written request, in the file `reference`, to end the entry.
        This does not end anything yet. A repeat returns the same result.

        :raises RefusedError: there is none, it was ended, or another ending is proposed.
        """
        await self._in_force(protection_id)
        operation = "POST /v1/protections/{protection_id}/ending"
        await self._vault.authorise(
            _access(caller, "policy_change", operation, protection_id, said=reference),
            RecordFacts(),
        )
        ending = Ending(
            ending_id=self._ids.new(),
            reference=reference,
            proposed_at=self._clock.now(),
            proposed_by=caller.sub,
        )
        await self._store.propose_ending(protection_id, ending)
        found, kept = await self._ending(protection_id)
        if kept.proposed_by != caller.sub or not same_reference(kept.reference, reference):
            raise RefusedError(
                "proposed", "Another ending has already been proposed: undo that one first."
            )
        return found

    async def confirm_ending(
        self, caller: Caller, protection_id: str, reference: str
    ) -> Protection:
        """Another person has seen the written request too, and names its file. The entry ends after
        the time in which this can be undone; until then it is in force. A repeat changes nothing.

        :raises RefusedError: there is none, it was ended, its ending was not proposed, was
            confirmed by somebody else or for another file, or it is the same person.
        """
        _, ending = await self._ending(protection_id)
        if same_person(caller.sub, ending.proposed_by):
            raise RefusedError(
                "same_person", "Someone other than the custodian who proposed it must confirm it."
            )
        if not same_reference(reference, ending.reference):
            raise RefusedError(
                "reference", "The ending was proposed for another file.", field="reference"
            )
        operation = "POST /v1/protections/{protection_id}/ending/confirmation"
        await self._vault.authorise(
            _access(caller, "policy_change", operation, protection_id, "retention", said=reference),
            RecordFacts(),
        )
        confirmed = ending.confirmed(caller.sub, self._clock.now(), self._undone_within)
        await self._store.confirm_ending(protection_id, confirmed)
        found, kept = await self._ending(protection_id)
        if (kept.ending_id, kept.confirmed_by) != (ending.ending_id, caller.sub):
            raise RefusedError("confirmed", "Somebody else has already confirmed or undone it.")
        return found

    async def undo_ending(self, caller: Caller, protection_id: str) -> Protection:
        """Cancel a proposed or confirmed ending while the entry is in force.

        :raises RefusedError: there is none, it was ended, or no ending is proposed.
        """
        _, ending = await self._ending(protection_id)
        operation = "DELETE /v1/protections/{protection_id}/ending"
        await self._vault.authorise(
            _access(caller, "policy_change", operation, protection_id, "retention"), RecordFacts()
        )
        await self._store.undo_ending(protection_id, ending.ending_id)
        return await self._in_force(protection_id)

    async def end_what_is_due(self) -> None:
        """End the entries whose time to undo has expired. What they hid may show again."""
        for each in await self._store.due_endings(self._clock.now()):
            if each.ending is None:
                continue
            await self._vault.authorise(
                _access(
                    SELF,
                    "policy_change",
                    "end a protection",
                    each.protection_id,
                    said=each.ending.reference,
                ),
                RecordFacts(),
            )
            hashes = await self._store.end(
                each.protection_id, each.ending.ending_id, self._clock.now()
            )
            if hashes is not None:
                await self._recheck(hashes)

    async def _in_force(self, protection_id: str) -> Protection:
        found = await self._store.get(protection_id)
        if found is None:
            raise RefusedError("not_found", "There is no such protection.")
        if found.withdrawn_at is not None:
            raise RefusedError("ended", "The protection was ended.")
        return found

    async def _ending(self, protection_id: str) -> tuple[Protection, Ending]:
        found = await self._in_force(protection_id)
        if found.ending is None:
            raise RefusedError("not_proposed", "A custodian must propose the ending first.")
        return found, found.ending

    async def one(self, caller: Caller, protection_id: str) -> Protection:
        """:raises RefusedError: there never was one."""
        await self._vault.authorise(
            _access(caller, "view", "GET /v1/protections/{protection_id}", protection_id),
            RecordFacts(),
        )
        found = await self._store.get(protection_id)
        if found is None:
            raise RefusedError("not_found", "There is no such protection.")
        return found

    async def propose_disposal(self, caller: Caller, protection_id: str) -> Protection:
        """A custodian finds that an entry's retention period has expired. This does not destroy
        anything yet.

        :raises RefusedError: there is none, or it is in force.
        """
        await self._withdrawn(protection_id)
        operation = "POST /v1/protections/{protection_id}/disposal"
        await self._vault.authorise(
            _access(caller, "policy_change", operation, protection_id, "retention"), RecordFacts()
        )
        await self._store.propose_disposal(protection_id, self._clock.now(), caller.sub)
        return await self._withdrawn(protection_id)

    async def dispose(self, caller: Caller, protection_id: str) -> Disposal:
        """Destroy an entry, as another person than the one who proposed it. The remaining
        documentation says that there was one, and who destroyed it. A repeat returns the same
        result.

        :raises RefusedError: there is none, it is in force or not proposed, or the same
            person.
        """
        if (done := await self._store.disposal(protection_id)) is not None:
            return done
        found = await self._withdrawn(protection_id)
        if found.disposal_proposed_by is None or found.disposal_proposed_at is None:
            raise RefusedError("not_proposed", "A custodian must propose the disposal first.")
        if same_person(caller.sub, found.disposal_proposed_by):
            raise RefusedError(
                "same_person", "Someone other than the custodian who proposed it must approve it."
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
        """:raises RefusedError: no such entry was destroyed."""
        operation = "GET /v1/protections/{protection_id}/disposal"
        await self._vault.authorise(
            _access(caller, "view", operation, protection_id, "retention"), RecordFacts()
        )
        found = await self._store.disposal(protection_id)
        if found is None:
            raise RefusedError("not_found", "No such entry was destroyed.")
        return found

    async def _withdrawn(self, protection_id: str) -> Protection:
        found = await self._store.get(protection_id)
        if found is None:
            raise RefusedError("not_found", "There is no such protection.")
        if found.withdrawn_at is None:
            raise RefusedError(
                "in_force", "The protection is or may still be in force: end it first."
            )
        return found

    async def entries(
        self, caller: Caller, *, in_force: bool | None, after: str, limit: int
    ) -> Sequence[Protection]:
        """The next entries by id, including withdrawn ones unless they are excluded."""
        found = await self._store.entries(in_force=in_force, after=after, limit=limit)
        # A list is for work on the whole record series, so it is the reference.
        await self._vault.authorise(
            _access(caller, "view", "GET /v1/protections", SERIES), RecordFacts()
        )
        return found

    async def to_enter_again(self, caller: Caller) -> Sequence[Protection]:
        """The entries in force, by id, that were made under older reading rules and so miss some
        spellings. The original text is not stored, and must come from their files. An entry is done
        if its file has a newer entry with all its kinds."""
        in_force: list[Protection] = []
        page: Sequence[Protection] | None = None
        while page is None or len(page) == MOST_AT_ONCE:
            after = page[-1].protection_id if page else ""
            page = await self._store.entries(in_force=True, after=after, limit=MOST_AT_ONCE)
            in_force += page
        await self._vault.authorise(
            _access(caller, "view", "GET /v1/protections", SERIES), RecordFacts()
        )
        newer: dict[str, set[str]] = {}
        for each in in_force:
            if not each.is_outdated:
                newer.setdefault(each.reference, set()).update(each.kinds)
        return [
            each
            for each in in_force
            if each.is_outdated and not newer.get(each.reference, set()).issuperset(each.kinds)
        ]


MOST_AT_ONCE = 500
"""How many entries are read at once."""


def _access(
    caller: Caller,
    action: AccessAction,
    operation: str,
    reference: str,
    purpose: str = "county_business",
    *,
    said: str | None = None,
) -> Access:
    return Access(
        caller,
        action=action,
        purpose=purpose,
        operation=operation,
        reference=reference,
        justification=said,
    )
