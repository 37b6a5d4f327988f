"""People propose, approve, reject and roll back; a loop puts in force what is due.

Every act is an entry of the signed log before it takes effect. What is in force is one document,
and a set comes into force by one write of it; the versions' states follow, and a loop makes up for
a process that died in between.
"""

from collections.abc import Sequence
from datetime import datetime

from direct311.geo.boundaries.domain import BoundarySet, Finding
from direct311.geo.boundaries.ports import BoundarySets
from direct311.geo.boundary_changes.domain import (
    BoundaryVersion,
    HistoryEntry,
    LayerRules,
    set_id_of,
)
from direct311.geo.boundary_changes.ports import ActLog, BoundaryVersions, SetsInForce
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError
from direct311.runtime.persons import same_person

SELF = "svc:geo"
"""Who carries out what people have decided."""


class Decisions:
    """The use cases of the people who keep the boundaries."""

    def __init__(
        self,
        sets: BoundarySets,
        versions: BoundaryVersions,
        in_force: SetsInForce,
        log: ActLog,
        layers: LayerRules,
        clock: Clock,
    ) -> None:
        self._sets = sets
        self._versions = versions
        self._in_force = in_force
        self._log = log
        self._layers = layers
        self._clock = clock

    async def propose(
        self,
        one: BoundarySet,
        findings: Sequence[Finding],
        by: str,
        format: str = "GeoJSON",
        projection: str = "EPSG:4326",
    ) -> BoundaryVersion:
        """Keep a set beside the one in force. A repeat returns what is there.

        :raises RefusedError: areas of an exclusive layer overlap, or the set is in force and nobody
            proposed it (it was packaged).
        """
        self._refuse_overlaps(one, findings)
        now = self._clock.now()
        set_id = set_id_of(one.layer, one.version)
        in_force = (await self._sets.in_force()).get(one.layer)
        before = await self._versions.get(set_id)
        if before is not None and before.state in ("proposed", "approved", "in_force"):
            return before
        if in_force == one.version:
            raise RefusedError("proposed", "This set is in force already.")
        await self._sets.keep(one, by, now)
        if before is not None:
            after = before.proposed_again(by, now, in_force)
            await self._log.write("proposed", after, [by], now)
            return await self._replaced(after)
        new = BoundaryVersion(
            set_id=set_id,
            layer=one.layer,
            version=one.version,
            format=format,
            projection=projection,
            checks=tuple(findings),
            replaces=in_force,
            proposed_by=by,
            history=(HistoryEntry(act="proposed", by=by, at=now),),
        )
        await self._log.write("proposed", new, [by], now)
        await self._versions.add(new)
        return await self.one(set_id)

    async def approve(
        self, set_id: str, shown: str, by: str, in_force_from: datetime | None
    ) -> BoundaryVersion:
        """Another person approves what was shown, in force from a time on; without one, at once. A
        repeat by the same person changes nothing.

        :raises RefusedError: there is none, it is not proposed, was not compared yet, changed since
            it was shown, or it is the same person.
        """
        found = await self.one(set_id)
        if found.state in ("approved", "in_force") and found.approved_by == by:
            return found
        self._must_be(found, "proposed")
        if same_person(by, found.proposed_by):
            raise RefusedError(
                "same_person", "Somebody other than the person who proposed the set approves it."
            )
        in_force = dict(await self._sets.in_force())
        if found.hash is None or found.comparison is None or found.comparison.base != in_force:
            raise RefusedError(
                "not_compared",
                "The set is being compared with the sets in force; look at it again.",
                retry_after=2,
            )
        if shown != found.hash:
            raise RefusedError(
                "set_hash", "Give the hash of the set as it is shown now.", field="hash"
            )
        now = self._clock.now()
        after = found.approved(by, now, in_force_from or now)
        await self._log.write("approved", after, [found.proposed_by, by], now)
        done = await self._replaced(after)
        if done.is_due(self._clock.now()):
            await self._put_in_force(done)
        return await self.one(set_id)

    async def reject(self, set_id: str, by: str, reason: str) -> BoundaryVersion:
        """A set that is proposed, or approved and not yet in force, does not come into force.

        :raises RefusedError: there is none, or its state does not allow it.
        """
        found = await self.one(set_id)
        if found.state == "rejected":
            return found
        self._must_be(found, "proposed", "approved")
        now = self._clock.now()
        after = found.rejected(by, now, reason)
        await self._log.write("rejected", after, [by], now)
        return await self._replaced(after)

    async def roll_back(self, set_id: str, by: str, reason: str) -> BoundaryVersion:
        """Take a set out of force; the one that it replaced is in force again, at once. That one
        was in force before, so one person may do it. A set of a new layer replaced none, and the
        layer is gone.

        :raises RefusedError: there is none, it is not in force, or another set has come into force
            in the meantime.
        """
        found = await self.one(set_id)
        if found.state == "rolled_back":
            return found
        self._must_be(found, "in_force")
        if (await self._sets.in_force()).get(found.layer) != found.version:
            raise RefusedError("changed", "Another set has come into force in the meantime.")
        now = self._clock.now()
        after = found.to_roll_back(by, now, reason)
        await self._log.write("rolled_back", after, [by], now)
        await self._replaced(after)
        await self.reconcile()
        return await self.one(set_id)

    async def one(self, set_id: str) -> BoundaryVersion:
        """:raises RefusedError: there is none."""
        found = await self._versions.get(set_id)
        if found is None:
            raise RefusedError("not_found", "There is no such boundary set.")
        return found

    async def step(self) -> None:
        """Put in force what is due, and let the states follow what is in force."""
        for each in await self._versions.list():
            if each.is_due(self._clock.now()):
                await self._put_in_force(each)
        await self.reconcile()

    async def reconcile(self) -> None:
        """Finish what was begun to be rolled back. Then the states of versions follow the one
        document that says what is in force."""
        for each in await self._versions.list():
            if each.leaving is not None:
                await self._in_force.swap(each.layer, each.version, each.replaces)
        in_force = await self._sets.in_force()
        now = self._clock.now()
        for each in await self._versions.list():
            is_in_force = in_force.get(each.layer) == each.version
            if each.state == "in_force" and not is_in_force:
                gone = each.rolled_back(each.leaving) if each.leaving else None
                await self._versions.replace(gone or each.superseded(SELF, now))
            elif each.state not in ("in_force", "approved") and is_in_force:
                # Also one that was proposed or rejected again, and to which another was rolled
                # back, and one that was rejected in the moment in which it came into force.
                await self._versions.replace(each.put_in_force(SELF, now))

    async def _put_in_force(self, one: BoundaryVersion) -> None:
        """Log, swap, note: any of them may be repeated."""
        now = self._clock.now()
        current = (await self._sets.in_force()).get(one.layer)
        if current not in (one.replaces, one.version):
            await self._versions.replace(one.returned(SELF, now))
            return
        if current != one.version:
            people = [each for each in (one.proposed_by, one.approved_by) if each]
            await self._log.write("in_force", one, people, now)
            if not await self._in_force.swap(one.layer, one.replaces, one.version):
                return
        await self._versions.replace(one.put_in_force(SELF, now))
        await self.reconcile()

    async def _replaced(self, after: BoundaryVersion) -> BoundaryVersion:
        if not await self._versions.replace(after):
            raise RefusedError("changed", "Somebody else has changed it; look at it again.")
        return await self.one(after.set_id)

    @staticmethod
    def _must_be(found: BoundaryVersion, *states: str) -> None:
        if found.state not in states:
            raise RefusedError(
                "boundary_state",
                f"The set is {found.state}; this can be done while it is {' or '.join(states)}.",
            )

    def _refuse_overlaps(self, one: BoundarySet, findings: Sequence[Finding]) -> None:
        """:raises RefusedError: two areas of an exclusive layer cover the same land."""
        if one.layer not in self._layers.exclusive:
            return
        numbers = {feature.code: number for number, feature in enumerate(one.features)}
        for each in findings:
            if each.kind == "overlap" and each.width_m > self._layers.widest_overlap_m:
                codes = " and ".join(each.features)
                raise RefusedError(
                    "boundaries",
                    f"{one.layer}: the features {codes} cover the same {each.area_m2:.0f} m² near "
                    f"{each.latitude}, {each.longitude}. Give that land to one of them.",
                    field=f"features.{numbers[each.features[0]]}.geometry",
                )
