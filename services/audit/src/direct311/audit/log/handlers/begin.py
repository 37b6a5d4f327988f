"""The log is begun once; where its files are there and its head is not, nothing starts."""

from direct311.audit.log.ports.files import Objects
from direct311.audit.log.ports.log import Beginnings
from direct311.runtime.errors import RuntimeFaultError


class LostHeadError(RuntimeFaultError):
    """The store holds a log and the database has no head: to begin a new log would be a fork."""


async def begin(beginnings: Beginnings, objects: Objects) -> None:
    """Begin the log, unless it was begun before. :raises LostHeadError:"""
    if await beginnings.exists():
        return
    if not await objects.empty():
        raise LostHeadError("the log's head is gone from the database; restore it")
    await beginnings.begin()
