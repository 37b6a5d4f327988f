"""Boundary sets: versioned layers of named areas, and what they say about a point."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

from direct311.schemas import Model

MUNICIPALITY = "municipality"
UNINCORPORATED = "unincorporated"
COUNTY = "county"
ZIP = "zip"
COMMISSION_DISTRICT = "commission_district"

PACKAGED = "packaged"
"""Who imported a set that came with the service."""

LAYER_NAME = re.compile(r"[a-z][a-z0-9_]{1,40}")

MOST_FEATURES = 5_000
"""How many areas a set may have."""

# A point in the water a few steps from a beach or a bridge belongs to the shore.
SNAP_M = 250.0
# Farther from a border than this makes no difference.
BORDER_LIMIT_M = 2_000.0

# Share of the county's own labels that agree, by distance to the nearest municipal border, on 3,475
# published requests with TIGER 2019 boundaries: 71 % of 28 points below 5 m (the county labels the
# middle of a border street either way), 98 % of 112 from 5 to 50 m, all of 3,335 beyond.
_BY_BORDER_M = ((50.0, 0.995), (5.0, 0.98), (0.0, 0.72))
_SNAPPED = 0.5
# The agreement assumed for an imported set that does not state it.
DEFAULT_AGREEMENT = 0.995


class BoundaryError(ValueError):
    """A file cannot be a boundary set. `feature` counts from 0; `None` means the file."""

    def __init__(self, reason: str, feature: int | None = None, field: str | None = None) -> None:
        self.reason = reason
        self.feature = feature
        self.field = field
        where = "" if feature is None else f"feature {feature}: "
        super().__init__(f"{where}{field + ': ' if field else ''}{reason}")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """What a file of some format contains: a GeoJSON FeatureCollection in degrees of WGS 84, the
    format, and the projection from which it was converted."""

    document: object
    format: str
    projection: str


class Finding(Model):
    """What a check found in a set, for the person who approves it.

    `ring`: a polygon crossed itself and was repaired. `overlap`: two areas cover the same land.
    `gap`: land between the areas that none of them covers. `width_m`: how wide it is on average.
    `latitude` and `longitude`: a point in it.
    """

    kind: Literal["ring", "overlap", "gap"]
    features: tuple[str, ...]
    area_m2: float = 0.0
    width_m: float = 0.0
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True)
class Feature:
    """A named area. `geometry` is a GeoJSON Polygon or MultiPolygon in degrees of WGS 84."""

    code: str
    name: str
    geometry: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BoundarySet:
    """One version of one layer.

    `version` is the given label and a hash of the content, so that equal files are one version.
    `agreement`: the share of known points that the set places correctly. `repaired` lists the codes
    of features that had to be made valid.
    """

    layer: str
    label: str
    version: str
    source: str
    licence: str
    approximate: bool
    agreement: float
    features: tuple[Feature, ...]
    repaired: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        layer: str,
        label: str,
        features: Sequence[Feature],
        *,
        source: str,
        licence: str = "",
        approximate: bool = False,
        agreement: float = DEFAULT_AGREEMENT,
        repaired: Sequence[str] = (),
    ) -> "BoundarySet":
        """The set of these features, sorted by code, with its version computed."""
        ordered = tuple(sorted(features, key=lambda feature: (feature.code, feature.name)))
        content = json.dumps(
            [layer, [[f.code, f.name, f.geometry] for f in ordered]],
            sort_keys=True,
            separators=(",", ":"),
        )
        digest = sha256(content.encode()).hexdigest()[:12]
        version = f"{label}+{digest}" if label else digest
        return cls(
            layer, label, version, source, licence, approximate, agreement, ordered, tuple(repaired)
        )


@dataclass(frozen=True, slots=True)
class ImportedSet:
    """A set without its features, for lists. `imported_by` is a token's subject, or 'packaged'."""

    layer: str
    version: str
    source: str
    licence: str
    approximate: bool
    agreement: float
    features: int
    repaired: tuple[str, ...]
    imported_by: str
    imported_at: datetime
    in_force: bool

    @property
    def packaged(self) -> bool:
        """Whether it came with the service, and nobody imported it."""
        return self.imported_by == PACKAGED


@dataclass(frozen=True, slots=True)
class Located:
    """What is at a point.

    `where` is 'unknown' if no loaded set can say whether the point is in the county. `border_m` is
    the distance to the nearest municipal border, `None` beyond `BORDER_LIMIT_M`. `snapped_m` is the
    distance to the area if the point is outside it. `boundary_sets`: layer → version.
    """

    where: Literal["municipality", "unincorporated", "outside", "unknown"]
    municipality: str | None = None
    zip_code: str | None = None
    commission_district: str | None = None
    layers: Mapping[str, str] = field(default_factory=dict)
    border_m: float | None = None
    snapped_m: float = 0.0
    confidence: float = 0.0
    approximate: bool = False
    boundary_sets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ZipArea:
    """A ZIP code's area: a point inside it in degrees, how far it reaches from there, and the
    municipality that most of it belongs to (`None` if unincorporated). `share` is that
    municipality's part of the area.
    """

    zip_code: str
    latitude: float
    longitude: float
    radius_m: float
    municipality: str | None
    share: float


def point_confidence(border_m: float | None, snapped_m: float, agreement: float) -> float:
    """How certain a point's municipality is, 0 to 1, from measured shares."""
    if snapped_m > 0:
        return round(_SNAPPED * agreement, 3)
    distance = BORDER_LIMIT_M if border_m is None else border_m
    share = next(share for beyond, share in _BY_BORDER_M if distance >= beyond)
    return round(min(share, agreement), 3)
