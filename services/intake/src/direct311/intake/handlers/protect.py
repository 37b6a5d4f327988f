"""Entering and ending protections."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from direct311.intake.domain.protection import Protection
from direct311.intake.ports import PersonIndexes
from direct311.runtime.access import Caller, RecordFacts
from direct311.runtime.clock import Clock, Ids
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.ledger import Access
from direct311.runtime.vault import Vault


class ProtectionStore(Protocol):
    async def add(self, protection: Protection) -> int: ...

    async def withdraw(self, protection_id: str, at: datetime) -> bool: ...


class Addresses(Protocol):
    """Geo's reading of an address."""

    async def normalise(self, address: str) -> str | None:
        """The address in one normalised line, or `None` where it is none.

        :raises TransientError: geo does not answer.
        """
        ...


class Protect:
    """Use cases of a custodian. Each is an event of the audit log."""

    def __init__(
        self,
        store: ProtectionStore,
        indexes: PersonIndexes,
        addresses: Addresses,
        vault: Vault,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._store = store
        self._indexes = indexes
        self._addresses = addresses
        self._vault = vault
        self._clock = clock
        self._ids = ids

    async def add(
        self,
        caller: Caller,
        reference: str,
        citation: str,
        identifiers: Mapping[str, str],
        point: tuple[float, float] | None,
    ) -> tuple[Protection, int]:
        """The entry and the registry's version with it.

        :raises RefusedError: 422 an identifier that cannot be one of its kind, or none at all.
        """
        hashes: list[str] = []
        kinds: list[str] = []
        for field, value in identifiers.items():
            found = await self._hashes(field, value)
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
            self._access(caller, "POST /v1/protections", reference), RecordFacts()
        )
        protection = Protection(
            protection_id=self._ids.new(),
            reference=reference,
            citation=citation,
            kinds=tuple(kinds),
            hashes=tuple(hashes),
            received_at=self._clock.now(),
        )
        return protection, await self._store.add(protection)

    async def _hashes(self, field: str, value: str) -> list[str]:
        if field != "address":
            return list(self._indexes.person(field, value))
        try:
            line = await self._addresses.normalise(value)
        except TransientError:
            raise RefusedError(
                503, "geo_unavailable", "Addresses cannot be read now; try again.", retry_after=5
            ) from None
        return list(self._indexes.place(line, None, None)) if line else []

    async def withdraw(self, caller: Caller, protection_id: str) -> None:
        """:raises RefusedError: 404 where none is in force."""
        await self._vault.authorise(
            self._access(caller, "DELETE /v1/protections/{protection_id}", protection_id),
            RecordFacts(),
        )
        if not await self._store.withdraw(protection_id, self._clock.now()):
            raise RefusedError(404, "not_found", "There is no such protection in force.")

    def _access(self, caller: Caller, operation: str, reference: str) -> Access:
        return Access(
            caller,
            action="policy_change",
            purpose="county_business",
            operation=operation,
            reference=reference,
        )
