"""Writes the boundary files that come with geo."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Collections = Mapping[str, dict[str, Any]]
"""Layer name to GeoJSON FeatureCollection."""


def write(collections: Collections, folder: Path) -> None:
    """One file per layer and one line per feature, so that a change is easy to see."""
    folder.mkdir(exist_ok=True)
    for layer, collection in collections.items():
        head = json.dumps(collection | {"features": []}).removesuffix("]}")
        features = ",\n".join(json.dumps(feature) for feature in collection["features"])
        (folder / f"{layer}.geojson").write_text(f"{head}\n{features}\n]}}\n", encoding="utf-8")
