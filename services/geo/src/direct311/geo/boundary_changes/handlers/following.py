"""What a set means for stored requests: counted before it is approved, carried out once it is in
force. Both walk over all requests in slices, so that neither holds anything up."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from direct311.geo.boundaries.ports import Boundaries, BoundarySets
from direct311.geo.boundary_changes.domain import (
    REACHED_AFTER,
    BoundaryVersion,
    Comparison,
    Walk,
)
from direct311.geo.boundary_changes.ports import (
    Again,
    BoundaryVersions,
    Relocate,
    SetsInForce,
    Walks,
)
from direct311.geo.places.domain import Difference, LocatedRequest, areas_of
from direct311.geo.places.ports import Differences, StoredPlaces
from direct311.runtime.clock import Clock
from direct311.runtime.pacing import paced
from direct311.schemas import derived_id

BATCH = 200
SLICE_SECONDS = 2.0
"""How long one step works; the loop's lease is several times as long."""

_CAUSES = "2b6a1c1e-5f0b-5a55-9d8a-6f1c1e0d7c55"
"""The namespace of the causes of new answers."""


@dataclass(slots=True)
class _Run:
    """A comparison that is under way."""

    version: BoundaryVersion
    before: Boundaries
    after: Boundaries
    comparison: Comparison
    at: str = ""


class Compare:
    """Counts what a proposed set would change. A process that dies starts again from the
    beginning."""

    def __init__(
        self,
        sets: BoundarySets,
        versions: BoundaryVersions,
        in_force: SetsInForce,
        places: StoredPlaces,
        differences: Differences,
        again: Again,
        clock: Clock,
    ) -> None:
        self._sets = sets
        self._versions = versions
        self._in_force = in_force
        self._places = places
        self._differences = differences
        self._again = again
        self._clock = clock
        self._run: _Run | None = None

    async def step(self) -> None:
        """Compare what is proposed and was not compared with the sets in force now."""
        until = time.monotonic() + SLICE_SECONDS
        while time.monotonic() < until:
            in_force = dict(await self._sets.in_force())
            if self._run is not None and self._run.comparison.base != in_force:
                self._run = None
            run = self._run = self._run or await self._next(in_force)
            if run is None:
                return
            if await self._batch(run):
                replaces = in_force.get(run.version.layer)
                await self._versions.replace(run.version.compared(run.comparison, replaces))
                self._run = None

    async def _next(self, in_force: Mapping[str, str]) -> _Run | None:
        for each in await self._versions.list():
            known = each.comparison
            if each.state != "proposed" or (known is not None and known.base == in_force):
                continue
            (one,) = await self._sets.load({each.layer: each.version})
            after = await self._in_force.candidate(one, in_force)
            await self._in_force.refresh()
            if self._in_force.loaded() != in_force:
                return None
            await self._differences.clear(each.set_id)
            begun = Comparison(base=dict(in_force), compared_at=self._clock.now())
            return _Run(each, self._in_force.current(), after, begun)
        return None

    async def _batch(self, run: _Run) -> bool:
        """Compare the next requests; returns whether there were none."""
        found = await self._places.after(run.at, BATCH)
        differences: list[Difference] = []
        async for request in paced(found):
            run.at = request.record_id
            if request.lifecycle != "active" or request.location is None:
                continue
            before = self._again(request.location, run.before)
            after = self._again(request.location, run.after)
            is_open = not request.finished
            if before is None or after is None:
                run.comparison = run.comparison.counted(None, None, is_open=is_open)
                continue
            one, other = areas_of(before), areas_of(after)
            run.comparison = run.comparison.counted(one, other, is_open=is_open)
            if one != other:
                differences.append(
                    Difference(
                        set_id=run.version.set_id,
                        record_id=request.record_id,
                        open=is_open,
                        before=one,
                        after=other,
                    )
                )
        await self._differences.put(differences)
        return not found


class ResolveAnew:
    """Resolves open requests again once other sets are in force. A process that dies goes on where
    it was; a request that was resolved anew gets the same answer again, so nothing happens."""

    def __init__(
        self,
        sets: BoundarySets,
        in_force: SetsInForce,
        walks: Walks,
        places: StoredPlaces,
        relocate: Relocate,
        clock: Clock,
    ) -> None:
        self._sets = sets
        self._in_force = in_force
        self._walks = walks
        self._places = places
        self._relocate = relocate
        self._clock = clock

    async def step(self) -> None:
        """Go on with the walk, or begin one if other sets are in force."""
        until = time.monotonic() + SLICE_SECONDS
        in_force = dict(await self._sets.in_force())
        now = self._clock.now()
        walk = await self._walks.get()
        if walk is None:
            # What is stored was located with the sets that are in force, or with sets from before
            # versions were kept.
            await self._walks.put(Walk(versions=in_force, done=True, not_before=now))
            return
        if walk.versions != in_force:
            walk = Walk(versions=in_force, not_before=now + REACHED_AFTER)
            await self._walks.put(walk)
        if walk.done or now < walk.not_before:
            return
        await self._in_force.refresh()
        if self._in_force.loaded() != in_force:
            return
        while time.monotonic() < until:
            found = await self._places.after(walk.after, BATCH)
            if not found:
                await self._walks.put(walk.finished())
                return
            if causes := _causes(found, in_force):
                await self._relocate(causes)
            walk = walk.past(found[-1].record_id)
            await self._walks.put(walk)


def _causes(found: Sequence[LocatedRequest], in_force: Mapping[str, str]) -> Mapping[str, str]:
    """A cause for each request that may need another answer: the same for the same sets."""
    sets = ",".join(f"{layer}={version}" for layer, version in sorted(in_force.items()))
    return {
        each.record_id: derived_id(_CAUSES, f"{sets}:{each.record_id}:{each.version}")
        for each in found
        if each.lifecycle == "active" and not each.finished and each.location is not None
    }
