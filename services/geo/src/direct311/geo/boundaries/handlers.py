"""The boundary sets in force: loaded at start, replaced by an import, the same on every copy."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from direct311.geo.boundaries.domain import PACKAGED, BoundarySet
from direct311.geo.boundaries.ports import Boundaries, BoundarySets
from direct311.runtime.clock import Clock

Build = Callable[[Iterable[BoundarySet]], Boundaries]


class Atlas:
    """Keeps an index of the sets in force, and knows when it is out of date.

    `build` makes the index; `packaged` gives the layers that come with the service, which are used
    where nobody has imported another.
    """

    def __init__(
        self,
        sets: BoundarySets,
        build: Build,
        packaged: Callable[[], Sequence[BoundarySet]],
        clock: Clock,
    ) -> None:
        self._sets = sets
        self._build = build
        self._packaged = packaged
        self._clock = clock
        self._loaded: Mapping[str, str] = {}
        self._current = build(())
        self._turn = asyncio.Lock()

    def current(self) -> Boundaries:
        """The index as last loaded; a lookup that began on it may finish on it."""
        return self._current

    def loaded(self) -> Mapping[str, str]:
        """Layer → version, for the sets that `current` uses."""
        return self._loaded

    async def prepare(self) -> None:
        """Take the packaged layers that are missing or were replaced by newer ones, then load."""
        present = await self._sets.in_force()
        ours = {one.layer for one in await self._sets.list() if one.in_force and one.packaged}
        for one in self._packaged():
            known = present.get(one.layer)
            if known is None or (one.layer in ours and known != one.version):
                await self._sets.put(one, PACKAGED, self._clock.now())
        await self.refresh()

    async def refresh(self) -> None:
        """Load again if the versions in force differ from the loaded ones."""
        async with self._turn:
            in_force = await self._sets.in_force()
            if in_force == self._loaded:
                return
            sets = await self._sets.load(in_force)
            self._current = await asyncio.to_thread(self._build, sets)
            self._loaded = in_force

    async def swap(self, layer: str, before: str | None, after: str | None) -> bool:
        """Put another kept version of a layer in force, effective here at once. Returns whether it
        is: `False` if the version in force was not `before`."""
        done = await self._sets.swap(layer, before, after)
        await self.refresh()
        return done

    async def candidate(self, one: BoundarySet, in_force: Mapping[str, str]) -> Boundaries:
        """The index of these sets with one layer replaced, beside the one in use."""
        others = {layer: version for layer, version in in_force.items() if layer != one.layer}
        sets = [*await self._sets.load(others), one]
        return await asyncio.to_thread(self._build, sets)
