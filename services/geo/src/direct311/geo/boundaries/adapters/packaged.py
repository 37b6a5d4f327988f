"""The boundary sets packaged with the service."""

import json
from collections.abc import Sequence
from importlib.resources import files

from direct311.geo.boundaries.adapters.shapes import read_boundary_set
from direct311.geo.boundaries.domain import BoundarySet


def approximate_county() -> Sequence[BoundarySet]:
    """The approximate county, one set per layer, by name."""
    folder = files("direct311.geo") / "data" / "approximate_county"
    documents = [json.loads(entry.read_bytes()) for entry in folder.iterdir()]
    sets = [read_boundary_set(document, layer=document["name"]) for document in documents]
    return sorted(sets, key=lambda one: one.layer)
