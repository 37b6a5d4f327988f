"""A version of a layer on its way into force, and what it would change."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from direct311.geo.boundaries.domain import Finding
from direct311.geo.places.domain import Areas
from direct311.schemas import Instant, Model, derived_id, replaced

State = Literal["proposed", "approved", "in_force", "superseded", "rolled_back", "rejected"]
Act = Literal[
    "proposed", "approved", "in_force", "superseded", "rolled_back", "rejected", "returned"
]
"""What happened to a version. `returned`: its day came, but another set was in force than the one
it was compared with, so it must be approved again."""

_SETS = "7d8f0a52-8a1e-5f0d-b6a7-0f5d0c3b9e41"
"""The namespace of the ids of sets."""

REACHED_AFTER = timedelta(seconds=10)
"""By then every copy of the service answers from the sets in force."""


class LayerRules(Model, extra="forbid"):
    """`layers.yaml`: in which layers a place belongs to one area only, and how wide areas may
    overlap there."""

    layers: str
    version: str
    exclusive: tuple[str, ...]
    widest_overlap_m: float


def set_id_of(layer: str, version: str) -> str:
    """The id of a version of a layer: the same for the same file."""
    return derived_id(_SETS, f"{layer}:{version}")


class HistoryEntry(Model):
    """One act: what, who, when, and why if a reason was given."""

    act: Act
    by: str
    at: Instant
    reason: str | None = None


class Comparison(Model):
    """What a set would change about the stored requests, beside the sets `base` (layer → version).

    `compared` of them were located again with both; `unknown` store too little (a protected place
    has no point). `changed` are in another area, `open` of those are still worked on, and `by`
    counts them by what changes.
    """

    base: dict[str, str]
    compared: int = 0
    unknown: int = 0
    changed: int = 0
    open: int = 0
    by: Mapping[str, int] = {}
    compared_at: Instant

    def counted(self, before: Areas | None, after: Areas | None, *, is_open: bool) -> "Comparison":
        """A copy that has counted one more request; no areas: too little is stored of it."""
        if before is None or after is None:
            return replaced(self, unknown=self.unknown + 1)
        kinds = changed_kinds(before, after)
        return replaced(
            self,
            compared=self.compared + 1,
            changed=self.changed + bool(kinds),
            open=self.open + (1 if kinds and is_open else 0),
            by=dict(self.by) | {kind: self.by.get(kind, 0) + 1 for kind in kinds},
        )


def changed_kinds(before: Areas, after: Areas) -> tuple[str, ...]:
    """What differs: `municipality` (with unincorporated land), `zip`, `commission_district`, a
    layer's name, or `outcome`."""
    kinds = []
    if before.outcome != after.outcome:
        kinds.append("outcome")
    if (before.municipality, before.unincorporated) != (after.municipality, after.unincorporated):
        kinds.append("municipality")
    if before.zip_code != after.zip_code:
        kinds.append("zip")
    if before.commission_district != after.commission_district:
        kinds.append("commission_district")
    layers = sorted({*before.layers, *after.layers})
    return (
        *kinds,
        *(each for each in layers if before.layers.get(each) != after.layers.get(each)),
    )


class BoundaryVersion(Model):
    """A version of a layer, from its proposal on. `revision` counts its changes.

    `replaces`: the version in force when it was proposed, `None` if the layer had none.
    `in_force_from`: from when on it is to be in force, as approved. `leaving`: who is taking it out
    of force and why, until that is done.
    """

    set_id: str
    layer: str
    version: str
    state: State = "proposed"
    revision: int = 0
    format: str = "GeoJSON"
    projection: str = "EPSG:4326"
    checks: tuple[Finding, ...] = ()
    comparison: Comparison | None = None
    replaces: str | None = None
    proposed_by: str
    approved_by: str | None = None
    in_force_from: Instant | None = None
    in_force_at: Instant | None = None
    leaving: HistoryEntry | None = None
    history: tuple[HistoryEntry, ...] = ()

    @property
    def hash(self) -> str | None:
        """What a second person approves, as SHA-256 (hex): the content, what it replaces, what the
        checks found, and what would change. `None` until that was counted."""
        if self.comparison is None:
            return None
        content = [
            self.layer,
            self.version,
            self.replaces,
            [each.model_dump(mode="json") for each in self.checks],
            self.comparison.model_dump(mode="json"),
        ]
        return sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def is_due(self, now: datetime) -> bool:
        """Whether its time has come."""
        return (
            self.state == "approved"
            and self.in_force_from is not None
            and self.in_force_from <= now
        )

    def proposed_again(self, by: str, at: datetime, replaces: str | None) -> "BoundaryVersion":
        """A copy of a set that is no longer on its way, proposed once more."""
        return replaced(
            self,
            state="proposed",
            proposed_by=by,
            replaces=replaces,
            comparison=None,
            approved_by=None,
            in_force_from=None,
            in_force_at=None,
            history=self._and("proposed", by, at),
        )

    def compared(self, comparison: Comparison, replaces: str | None) -> "BoundaryVersion":
        """A copy with what it would change, beside what is in force."""
        return replaced(self, comparison=comparison, replaces=replaces)

    def approved(self, by: str, at: datetime, in_force_from: datetime) -> "BoundaryVersion":
        """A copy that a second person has approved, from a time on."""
        return replaced(
            self,
            state="approved",
            approved_by=by,
            in_force_from=in_force_from,
            history=self._and("approved", by, at),
        )

    def rejected(self, by: str, at: datetime, reason: str) -> "BoundaryVersion":
        """A copy that does not come into force."""
        return replaced(self, state="rejected", history=self._and("rejected", by, at, reason))

    def put_in_force(self, by: str, at: datetime) -> "BoundaryVersion":
        """A copy that is in force."""
        return replaced(
            self, state="in_force", in_force_at=at, history=self._and("in_force", by, at)
        )

    def superseded(self, by: str, at: datetime) -> "BoundaryVersion":
        """A copy that another set has replaced."""
        return replaced(self, state="superseded", history=self._and("superseded", by, at))

    def to_roll_back(self, by: str, at: datetime, reason: str) -> "BoundaryVersion":
        """A copy that is being taken out of force."""
        entry = HistoryEntry(act="rolled_back", by=by, at=at, reason=reason)
        return replaced(self, leaving=entry)

    def rolled_back(self, entry: HistoryEntry) -> "BoundaryVersion":
        """A copy that was taken out of force; the set before is in force again."""
        return replaced(self, state="rolled_back", leaving=None, history=(*self.history, entry))

    def returned(self, by: str, at: datetime) -> "BoundaryVersion":
        """A copy that must be compared and approved again."""
        return replaced(
            self,
            state="proposed",
            comparison=None,
            approved_by=None,
            in_force_from=None,
            history=self._and("returned", by, at),
        )

    def rewritten(self) -> "BoundaryVersion":
        """A copy as the next revision."""
        return replaced(self, revision=self.revision + 1)

    def _and(
        self, act: Act, by: str, at: datetime, reason: str | None = None
    ) -> tuple[HistoryEntry, ...]:
        return (*self.history, HistoryEntry(act=act, by=by, at=at, reason=reason))


class Walk(Model):
    """How far the open requests have been resolved anew by the sets `versions` (layer → version).
    `not_before`: until then some copy of the service may still answer from earlier sets."""

    versions: dict[str, str]
    after: str = ""
    done: bool = False
    not_before: Instant

    def past(self, record_id: str) -> "Walk":
        """A copy that has come to this record."""
        return replaced(self, after=record_id)

    def finished(self) -> "Walk":
        """A copy that has come to the end."""
        return replaced(self, done=True)
