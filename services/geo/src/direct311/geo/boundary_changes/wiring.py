"""Builds the way of boundary sets into force."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter

from direct311.geo.api import CallerOf
from direct311.geo.boundaries.wiring import BoundarySets
from direct311.geo.boundary_changes.adapters import (
    LedgerActs,
    MongoBoundaryVersions,
    MongoWalks,
    layer_rules,
)
from direct311.geo.boundary_changes.api import router
from direct311.geo.boundary_changes.handlers.deciding import Decisions
from direct311.geo.boundary_changes.handlers.following import Compare, ResolveAnew
from direct311.geo.places.wiring import Places
from direct311.geo.settings import GeoSettings
from direct311.runtime.loops import Loop
from direct311.runtime.process import Resources

EVERY = timedelta(seconds=2)
LEASE = timedelta(seconds=15)
"""One turn of the loop is two slices of work and perhaps the building of an index."""


@dataclass(frozen=True, slots=True)
class BoundaryChanges:
    router: APIRouter
    loops: Sequence[Loop]


def wire(
    settings: GeoSettings,
    resources: Resources,
    caller_of: CallerOf,
    sets: BoundarySets,
    places: Places,
) -> BoundaryChanges:
    """:raises DataFileError: the rules of layers are invalid."""
    clock = resources.clock
    versions = MongoBoundaryVersions(resources.database["boundary_versions"])
    walks = MongoWalks(resources.database["boundary_walks"])
    decisions = Decisions(
        sets.kept,
        versions,
        sets.atlas,
        LedgerActs(resources.ledger),
        layer_rules(settings.layers_file),
        clock,
    )
    compare = Compare(
        sets.kept, versions, sets.atlas, places.stored, places.differences, places.again, clock
    )
    anew = ResolveAnew(sets.kept, sets.atlas, walks, places.stored, places.relocate, clock)

    async def step() -> None:
        await decisions.step()
        await anew.step()
        await compare.step()

    return BoundaryChanges(
        router(
            decisions,
            versions,
            sets.kept,
            places.differences,
            sets.read_file,
            sets.read,
            sets.check,
            caller_of,
            settings.max_import_bytes,
        ),
        [Loop("boundary changes", EVERY, step, resources.lease("boundary-changes", LEASE), clock)],
    )
