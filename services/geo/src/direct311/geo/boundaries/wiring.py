"""Builds the boundary sets in force."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from fastapi import APIRouter

from direct311.geo.api import CallerOf
from direct311.geo.boundaries.adapters.checks import check
from direct311.geo.boundaries.adapters.files import read_file
from direct311.geo.boundaries.adapters.mongo import MongoBoundarySets
from direct311.geo.boundaries.adapters.packaged import packaged_county
from direct311.geo.boundaries.adapters.shapes import Canonical, ShapeBoundaries, read_boundary_set
from direct311.geo.boundaries.api import router
from direct311.geo.boundaries.handlers import Atlas
from direct311.geo.boundaries.ports import Boundaries, CheckBoundarySet, ReadBoundarySet, ReadFile
from direct311.geo.boundaries.ports import BoundarySets as Kept
from direct311.geo.settings import GeoSettings
from direct311.runtime.http.health import Check
from direct311.runtime.loops import Loop, Step
from direct311.runtime.process import Resources


@dataclass(frozen=True, slots=True)
class BoundarySets:
    """`current`: the sets in force. `loaded`: whether there are any, for readiness. `kept`: every
    set; `read` and `check`: how a set is read from a file, and what is wrong with it."""

    current: Callable[[], Boundaries]
    atlas: Atlas
    kept: Kept
    read_file: ReadFile
    read: ReadBoundarySet
    check: CheckBoundarySet
    router: APIRouter
    prepare: Step
    loaded: Check
    loops: Sequence[Loop]


def wire(
    settings: GeoSettings,
    resources: Resources,
    caller_of: CallerOf,
    *,
    canonical: Canonical,
    unincorporated: str,
) -> BoundarySets:
    """`canonical`: the one spelling of a municipality's name; `unincorporated`: the name of the
    county's own area."""
    clock = resources.clock
    sets = MongoBoundarySets(resources.database)
    read_set = partial(read_boundary_set, canonical=canonical)
    atlas = Atlas(
        sets,
        lambda loaded: ShapeBoundaries(loaded, unincorporated),
        packaged_county if settings.packaged_county else tuple,
        clock,
    )

    async def prepare() -> None:
        await sets.prepare()
        await atlas.prepare()

    async def loaded() -> str | None:
        return None if atlas.loaded() else "no boundaries are loaded"

    return BoundarySets(
        atlas.current,
        atlas,
        sets,
        read_file,
        read_set,
        check,
        router(atlas, caller_of),
        prepare,
        loaded,
        # Without a lease: each copy checks for itself.
        [Loop("boundaries", settings.refresh_every, atlas.refresh, None, clock)],
    )
