"""Builds the protection registry and the work that uses it."""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import Counter

from direct311.intake.lifecycle.wiring import Lifecycle
from direct311.intake.protection.adapters.geo import GeoAddresses
from direct311.intake.protection.adapters.mongo import IndexChecks, MongoProtections
from direct311.intake.protection.handlers.address_index import AddressIndex
from direct311.intake.protection.handlers.protect import Protect
from direct311.intake.protection.handlers.reindex import ReadHomes, Reindex
from direct311.intake.sealing import Sealing
from direct311.intake.settings import IntakeSettings
from direct311.runtime.process import Resources
from direct311.schemas import derived_id

_RECHECK = "0b8f2f62-4d0c-5c9b-8a44-9a4d8a8f3a51"
AT_ONCE = 500
"""How many requests are compared with the registry at once."""


@dataclass(frozen=True, slots=True)
class Protection:
    """`recheck`: compares requests checked against an older registry with the current one."""

    protections: MongoProtections
    address_index: AddressIndex
    index_checks: IndexChecks
    read_homes: ReadHomes
    protect: Protect
    recheck: "Recheck"

    async def refresh(self) -> None:
        """Reads the registry's changes from other copies."""
        await self.protections.refresh()


class Recheck:
    """Checks stored requests against the current registry."""

    def __init__(self, lifecycle: Lifecycle, protections: MongoProtections) -> None:
        self._lifecycle = lifecycle
        self._protections = protections

    async def all(self) -> None:
        """Check all requests that were checked against an older registry."""
        current = self._protections.version
        while behind := await self._lifecycle.requests.unchecked(current, AT_ONCE):
            await self._these(behind, current)

    async def with_hashes(self, hashes: Sequence[str]) -> None:
        """Check those of them that have one of these index values."""
        current = self._protections.version
        requests = self._lifecycle.requests
        while behind := await requests.unchecked_with(hashes, current, AT_ONCE):
            await self._these(behind, current)

    async def _these(self, found: Sequence[str], version: int) -> None:
        causes = {each: derived_id(_RECHECK, f"{each}:{version}") for each in found}
        await self._lifecycle.processor.change_each(causes, self._lifecycle.follow.recheck)


def wire_registry(resources: Resources) -> MongoProtections:
    """The registry that stored requests are checked against."""
    return MongoProtections(resources.database["protections"])


def wire(
    settings: IntakeSettings,
    resources: Resources,
    sealing: Sealing,
    protections: MongoProtections,
    lifecycle: Lifecycle,
) -> Protection:
    """Adds `reindex` to the operators' jobs."""
    clock, indexes = resources.clock, sealing.indexes
    addresses = GeoAddresses(resources.peer("geo", settings.geo_url))
    unread = Counter(
        "direct311_homes_unread",
        "Reporters' own addresses indexed as typed, because geo did not answer",
        registry=resources.metrics.registry,
    )
    address_index = AddressIndex(addresses, indexes, unread.inc)
    index_checks = IndexChecks(
        resources.database["index_checks"],
        lifecycle.aggregates.records.collection,
        resources.database["protections"],
        indexes,
    )
    reindex = Reindex(
        lifecycle.requests,
        lifecycle.processor,
        sealing.vault,
        indexes,
        address_index,
        addresses,
        lifecycle.follow.compare,
        index_checks.newest,
    )
    sealing.rotation.add("reindex", reindex.batch, reindex.left)
    recheck = Recheck(lifecycle, protections)
    protect = Protect(
        protections,
        indexes,
        addresses,
        recheck.with_hashes,
        sealing.vault,
        clock,
        resources.ids,
        2 * settings.registry_every,
        settings.undone_within,
    )
    read_homes = ReadHomes(reindex, lifecycle.requests, addresses, clock)
    return Protection(protections, address_index, index_checks, read_homes, protect, recheck)
