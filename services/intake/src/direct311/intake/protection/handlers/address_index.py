"""Keyed hashes of a reporter's own address, by which the protection registry recognizes it."""

import asyncio
from collections.abc import Callable

import structlog

from direct311.intake.indexes.handlers.places import home_values, own_point, point_values
from direct311.intake.indexes.ports import Addresses, HomeValues, PersonIndexes, ReadAddress
from direct311.runtime.errors import TransientError

_log = structlog.get_logger(__name__)

PATIENCE = 1.0
"""How many seconds a submission waits for geo's reading of the address."""


class AddressIndex:
    """The hashes of all geo's readings of an address and of geo's point for it or, if geo does not
    answer, of the address as typed.

    Only a few types ask for an address, so few submissions wait for geo. `unread` is called for
    each address that geo did not answer for: until it is read, its request is treated as protected.
    """

    def __init__(
        self,
        addresses: Addresses,
        indexes: PersonIndexes,
        unread: Callable[[], object] = lambda: None,
    ) -> None:
        self._addresses = addresses
        self._indexes = indexes
        self._unread = unread

    async def __call__(self, address: str) -> HomeValues:
        typed = ReadAddress(address)
        try:
            async with asyncio.timeout(PATIENCE):
                read = await self._addresses.normalise(address) or typed
        except (TransientError, TimeoutError):
            self._unread()
            _log.warning("homes.geo_does_not_answer")
            return HomeValues(home_values(self._indexes.place, typed), settled=False)
        values = home_values(self._indexes.place, read)
        values += point_values(self._indexes.place, address)
        if (point := own_point(read)) is not None:
            values += self._indexes.place(None, *point)
        return HomeValues(values, settled=True)
