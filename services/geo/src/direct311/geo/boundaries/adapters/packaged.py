"""The boundary sets packaged with the service."""

import json
from collections.abc import Sequence
from importlib.resources import files

from direct311.geo.boundaries.adapters.shapes import read_boundary_set
from direct311.geo.boundaries.domain import BoundarySet


def packaged_county() -> Sequence[BoundarySet]:
    """One set per layer, by name: municipalities and the county's outline of the Census Bureau,
    approximate ZIP areas and commission districts."""
    data = files("direct311.geo") / "data"
    documents = [
        json.loads(entry.read_bytes())
        for folder in ("census_county", "approximate_county")
        for entry in (data / folder).iterdir()
    ]
    sets = [read_boundary_set(document, layer=document["name"]) for document in documents]
    return sorted(sets, key=lambda one: one.layer)
