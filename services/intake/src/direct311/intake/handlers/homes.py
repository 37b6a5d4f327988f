"""Keyed hashes of a reporter's own address, by which the protection registry knows it."""

import asyncio
from collections.abc import Callable

import structlog

from direct311.intake.ports import Addresses, HomeValues, PersonIndexes
from direct311.runtime.errors import TransientError

_log = structlog.get_logger(__name__)

PATIENCE = 1.0
"""Seconds that a submission waits for geo's reading of the address."""


class Homes:
    """The hashes of an address as geo reads it and, where geo does not answer, as it was typed.

    Only a few types ask for an address, so that few submissions wait for geo. `unread` is called
    for each that it did not answer for: until it is read, its reporter's protection may be missed.
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
        line, settled = address, True
        try:
            async with asyncio.timeout(PATIENCE):
                read = await self._addresses.normalise(address)
            line = read.line if read else address
        except (TransientError, TimeoutError):
            settled = False
            self._unread()
            _log.warning("homes.geo_does_not_answer")
        return HomeValues(self._indexes.place(line, None, None), settled)
