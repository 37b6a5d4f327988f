"""The log is begun once. If its files exist but its head does not, nothing starts."""

from direct311.audit.log.ports.files import Objects
from direct311.audit.log.ports.log import Beginnings
from direct311.runtime.errors import RuntimeFaultError


class LostHeadError(RuntimeFaultError):
    """The store has a log but the database has no head: a new log would be a fork."""


async def begin(beginnings: Beginnings, objects: Objects) -> None:
    """Begin the log, unless it was begun before. :raises LostHeadError:"""
    if await beginnings.exists():
        return
    if not await objects.empty():
        raise LostHeadError("the log's head is missing from the database; restore it")
    await beginnings.begin()
