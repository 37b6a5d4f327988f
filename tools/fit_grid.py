"""Fits the county's street grids to addresses with known positions, and prints `grid.yaml`.

    python tools/fit_grid.py [LAYER=BOUNDARIES.geojson...] ADDRESSES.csv... > grid.yaml

With the layers `municipality` and `unincorporated` it also measures how often an estimate is in the
municipality that the addresses name. Each address file has a column `street_address` or
`full_address`, `latitude`, `longitude`, and may have `city` and `zip_code`.

Least absolute deviations, by re-weighted least squares, so that the few wrong positions do not
distort the fit. The printed error was measured five times, each time on a fifth of the addresses
that the fit had not seen.
"""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from math import cos, hypot, radians
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from direct311.geo.addresses.adapters.data_files import address_reader
from direct311.geo.addresses.domain.grid import Curve, Grid, Measured, StreetGrids
from direct311.geo.addresses.domain.lines import NormalisedAddress
from direct311.geo.boundaries.adapters.shapes import ShapeBoundaries, read_boundary_set

METRES = (110_783.4, 111_320.0 * cos(radians(25.75)))
QUADRANTS = {"NE": (1, 1), "NW": (-1, 1), "SE": (1, -1), "SW": (-1, -1)}
FOLDS = 5
# Distances from a municipal border, in meters, between which the agreement is measured.
BANDS = (0.0, 50.0, 100.0, 250.0)


@dataclass(frozen=True, slots=True)
class Sample:
    address: NormalisedAddress
    avenue: float
    street: float
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known about a grid before it is fitted. Knots are in blocks; `offsets` of 0 are to be
    found."""

    settings: dict[str, Any]
    street_knots: tuple[float, ...]
    avenue_knots: tuple[float, ...]
    belongs: Callable[[NormalisedAddress, float, float], bool]
    bend: bool
    offsets: tuple[str, ...] = ()


def plans() -> list[Plan]:
    west = {"toward": "W"}
    county = Plan(
        settings={
            "name": "miami_dade",
            "quadrants": QUADRANTS,
            "east_west": ("ST", "TER", "LN"),
            "north_south": ("AVE", "CT", "PL", "PATH"),
            "named": {
                "FLAGLER ST": west | {"street": 0},
                "TAMIAMI TRL": west | {"street": -8},
                "CORAL WAY": west | {"street": -24},
                "BIRD RD": west | {"street": -40},
                "MILLER DR": west | {"street": -56},
                "SUNSET DR": west | {"street": -72},
                "KENDALL DR": west | {"street": -88},
                "CORAL REEF DR": west | {"street": -152},
                "EUREKA DR": west | {"street": -184},
                "QUAIL ROOST DR": west | {"street": -200},
                "MIAMI AVE": {"avenue": 0, "toward": "N"},
                "DOUGLAS RD": {"avenue": -37, "toward": "S"},
                "LE JEUNE RD": {"avenue": -42, "toward": "S"},
                "RED RD": {"avenue": -57, "toward": "S"},
                "LUDLAM RD": {"avenue": -67, "toward": "S"},
                "GALLOWAY RD": {"avenue": -87, "toward": "S"},
                "KROME AVE": {"avenue": -177, "toward": "S"},
            },
        },
        # A mile apart, as the section lines are: sixteen streets, ten avenues.
        street_knots=tuple(float(block) for block in range(-432, 217, 16)),
        avenue_knots=tuple(float(block) for block in range(-220, 31, 10)),
        belongs=lambda _, latitude, street: not (latitude < 25.5 and abs(street) < 100),
        bend=True,
        offsets=("TER", "LN", "CT", "PL", "PATH"),
    )
    hialeah = Plan(
        settings={
            "name": "hialeah",
            "quadrants": {"E": (1, 1), "W": (-1, 1), "SE": (1, -1), "SW": (-1, -1)},
            "east_west": ("ST", "PL", "TER"),
            "north_south": ("AVE", "CT", "LN"),
            "cities": ("Hialeah",),
            "zip_codes": ("33010", "33012", "33013", "33014", "33016", "33018"),
        },
        street_knots=(-20.0, 90.0),
        avenue_knots=(-40.0, 15.0),
        belongs=lambda a, latitude, _: (
            latitude > 25.79
            and (a.city == "Hialeah" or a.street is None or a.street.predirectional in ("E", "W"))
        ),
        bend=False,
    )
    florida_city = Plan(
        settings={
            "name": "florida_city",
            "quadrants": QUADRANTS,
            "east_west": ("ST", "TER"),
            "north_south": ("AVE", "CT", "PL"),
            "cities": ("Florida City",),
            "zip_codes": ("33034",),
            "street_limit": 60,
        },
        street_knots=(-20.0, 20.0),
        avenue_knots=(-20.0, 20.0),
        belongs=lambda a, latitude, _: (
            latitude < 25.5 and (a.zip_code == "33034" or a.city == "Florida City")
        ),
        bend=False,
    )
    homestead = Plan(
        settings={
            "name": "homestead",
            "quadrants": QUADRANTS,
            "east_west": ("ST",),
            "north_south": ("AVE", "CT", "PL", "TER", "LN", "RD"),
            "cities": ("Homestead",),
            "zip_codes": ("33030", "33033", "33035"),
            "street_limit": 60,
        },
        street_knots=(-30.0, 30.0),
        avenue_knots=(-30.0, 45.0),
        belongs=lambda a, latitude, _: (
            25.4 < latitude < 25.53 and a.zip_code in ("33030", "33033", "33035")
        ),
        bend=False,
    )
    return [county, hialeah, florida_city, homestead]


def fitted(plan: Plan, known: Sequence[tuple[NormalisedAddress, float, float]]) -> Grid:
    """The plan's grid with the best-fitting curves, and its measured error."""
    start = _grid(
        plan,
        {},
        _line(plan.street_knots),
        _line(plan.avenue_knots),
        Measured(sample=0, half_within_m=0, nine_tenths_within_m=0),
    )
    samples = list(_samples(start, plan, known))
    offsets = _offsets(plan, samples)
    start = start.model_copy(update={"offsets": offsets})
    samples = list(_samples(start, plan, known))
    errors: list[float] = []
    folds = np.random.default_rng(1).integers(0, FOLDS, len(samples))
    for fold in range(FOLDS):
        seen = [s for s, f in zip(samples, folds, strict=True) if f != fold]
        latitude, longitude = _curves(plan, seen)
        errors += [
            hypot(
                (latitude.degrees(s.street, s.avenue) - s.latitude) * METRES[0],
                (longitude.degrees(s.avenue, s.street) - s.longitude) * METRES[1],
            )
            for s, f in zip(samples, folds, strict=True)
            if f == fold
        ]
    measured = Measured(
        sample=len(samples),
        half_within_m=round(float(np.percentile(errors, 50))),
        nine_tenths_within_m=round(float(np.percentile(errors, 90))),
    )
    return _grid(plan, offsets, *_curves(plan, samples), measured)


def _grid(
    plan: Plan, offsets: dict[str, float], latitude: Curve, longitude: Curve, measured: Measured
) -> Grid:
    return Grid(
        **({"named": {}} | plan.settings),
        offsets=offsets,
        latitude=latitude,
        longitude=longitude,
        measured=measured,
    )


def _line(knots: Sequence[float]) -> Curve:
    return Curve(at=tuple((knot, knot) for knot in knots))


def _samples(
    grid: Grid, plan: Plan, known: Iterable[tuple[NormalisedAddress, float, float]]
) -> Iterable[Sample]:
    for address, latitude, longitude in known:
        if grid.street_limit and (address.number or 0) > 6000:
            continue
        blocks = grid.blocks(address) if address.kind == "address" else None
        if blocks and plan.belongs(address, latitude, blocks[1]):
            yield Sample(address, *blocks, latitude, longitude)


def _offsets(plan: Plan, samples: Sequence[Sample]) -> dict[str, float]:
    """How far beyond its number each kind of street is, in blocks."""
    found: dict[str, float] = {}
    if not plan.offsets:
        return found
    plain = [s for s in samples if s.address.street and s.address.street.kind in ("ST", "AVE")]
    latitude, longitude = _curves(plan, plain)
    for kind in plan.offsets:
        of_kind = [s for s in samples if s.address.street and s.address.street.kind == kind]
        blocks = []
        for s in of_kind:
            if kind in plan.settings["east_west"]:
                curve, block, other, actual = latitude, s.street, s.avenue, s.latitude
            else:
                curve, block, other, actual = longitude, s.avenue, s.street, s.longitude
            sign = 1 if block >= 0 else -1
            here = curve.degrees(block, other)
            step = curve.degrees(block + sign, other) - here
            blocks.append((actual - here) / step)
        found[kind] = round(float(np.median(blocks)), 2)
    return found


def _curves(plan: Plan, samples: Sequence[Sample]) -> tuple[Curve, Curve]:
    streets = np.array([s.street for s in samples])
    avenues = np.array([s.avenue for s in samples])
    return (
        _curve(plan.street_knots, streets, avenues, [s.latitude for s in samples], plan.bend),
        _curve(plan.avenue_knots, avenues, streets, [s.longitude for s in samples], plan.bend),
    )


def _curve(
    knots: Sequence[float], blocks: Any, others: Any, degrees: Sequence[float], bend: bool
) -> Curve:
    hats = np.array([np.interp(blocks, knots, row) for row in np.eye(len(knots))]).T
    low, high = blocks < knots[0], blocks > knots[-1]
    hats[low | high] = 0
    rows = [others] + ([others * others / 100, others * blocks / 100] if bend else [])
    matrix = np.column_stack([hats, *rows])
    target = np.array(degrees)
    # A knot with few addresses around it follows its neighbors.
    smooth = np.zeros((max(len(knots) - 2, 0), matrix.shape[1]))
    for index in range(len(smooth)):
        smooth[index, index : index + 3] = (1, -2, 1)
    weights = np.where(low | high, 0.0, 1.0)
    solution = np.zeros(matrix.shape[1])
    for _ in range(60):
        a = np.vstack([matrix * weights[:, None], smooth * 3])
        b = np.concatenate([target * weights, np.zeros(len(smooth))])
        solution = np.linalg.lstsq(a, b, rcond=None)[0]
        misses = np.abs(matrix @ solution - target)
        weights = np.where((low | high) | (misses > 0.01), 0, 1 / np.sqrt(np.maximum(misses, 1e-4)))
        weights = weights / max(float(weights.max()), 1e-9)
    bends = [float(value) for value in solution[len(knots) :]] + [0.0] * (0 if bend else 2)
    return Curve(
        at=tuple(
            (knot, round(float(value), 5)) for knot, value in zip(knots, solution, strict=False)
        ),
        bend=(round(bends[0], 8), round(bends[1], 8), round(bends[2], 8)),
    )


def _known(paths: Sequence[str]) -> list[tuple[NormalisedAddress, float, float]]:
    reader = address_reader()
    known = {}
    for path in paths:
        with Path(path).open(encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows):
                line = row.get("street_address") or row.get("full_address")
                if not line or not row["latitude"]:
                    continue
                address = reader.normalise(line).model_copy(
                    update={
                        "zip_code": row.get("zip_code") or None,
                        "city": reader.gazette.canonical(row.get("city")),
                    }
                )
                known[address.canonical] = (
                    address,
                    float(row["latitude"]),
                    float(row["longitude"]),
                )
    return list(known.values())


def _agreement(
    grids: StreetGrids,
    known: Sequence[tuple[NormalisedAddress, float, float]],
    boundaries: ShapeBoundaries,
    unincorporated: str,
) -> list[list[float]]:
    counts = {distance: [0, 0] for distance in BANDS}
    for address, _, _ in known:
        estimate = grids.estimate(address) if address.city else None
        if estimate is None:
            continue
        located = boundaries.locate(estimate.latitude, estimate.longitude)
        border_m = 1e9 if located.border_m is None else located.border_m
        band = max(distance for distance in BANDS if border_m >= distance)
        counts[band][0] += (located.municipality or unincorporated) == address.city
        counts[band][1] += 1
    return [[band, round(right / of, 3)] for band, (right, of) in sorted(counts.items()) if of]


def main(arguments: Sequence[str]) -> None:
    layers = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    known = _known([argument for argument in arguments if "=" not in argument])
    grids = [fitted(plan, known) for plan in plans()]
    result = StreetGrids(
        version="1",
        citation=(
            "Street numbering of Miami-Dade County (Code of Miami-Dade County, chapter 21); "
            "positions fitted to the addresses of the county's published 311 requests"
        ),
        effective_on=date(2018, 2, 1),
        fitted_on=f"{len(known)} addresses of 2013 to 2018",
        county=grids[0],
        own=tuple(grids[1:]),
    )
    tree = result.model_dump(mode="json", exclude_defaults=True)
    if layers:
        gazette = address_reader().gazette
        boundaries = ShapeBoundaries(
            [
                read_boundary_set(
                    json.loads(Path(path).read_bytes()),
                    layer=layer,
                    source=path,
                    canonical=gazette.canonical,
                )
                for layer, path in layers.items()
            ],
            gazette.unincorporated,
        )
        tree["agreement"] = _agreement(result, known, boundaries, gazette.unincorporated)
    yaml.safe_dump(tree, sys.stdout, sort_keys=False, default_flow_style=None, width=100)


if __name__ == "__main__":
    main(sys.argv[1:])
