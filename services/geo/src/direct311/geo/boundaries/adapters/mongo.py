"""Boundary sets in the database.

A set is one document in `boundary_sets` and one per feature in `boundary_features`; one document in
`boundaries_in_force` says which version of each layer is in force. Features are written first and
that document last, so that everything it names exists for its readers.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from direct311.geo.boundaries.domain import BoundarySet, Feature, ImportedSet
from direct311.runtime.storage.database import Collection, Database, Index, MissingError

_IN_FORCE = "layers"


class MongoBoundarySets:
    """Implements `BoundarySets`. Nothing is deleted: resolved locations cite the versions."""

    def __init__(self, database: Database) -> None:
        self._sets: Collection = database["boundary_sets"]
        self._features: Collection = database["boundary_features"]
        self._heads: Collection = database["boundaries_in_force"]

    async def prepare(self) -> None:
        """Create the index that finds a set's features."""
        await self._features.create_indexes([Index([("set", 1)], name="set")])

    async def in_force(self) -> Mapping[str, str]:
        head = await self._heads.find_one({"_id": _IN_FORCE})
        return dict(head["versions"]) if head else {}

    async def load(self, versions: Mapping[str, str]) -> Sequence[BoundarySet]:
        return [await self._one(_key(*version)) for version in sorted(versions.items())]

    async def _one(self, key: str) -> BoundarySet:
        """:raises MissingError: the set or one of its features is missing."""
        document = await self._sets.find_one({"_id": key})
        if document is None:
            raise MissingError("a boundary set")
        features = [feature async for feature in self._features.find({"set": key})]
        if len(features) != document["features"]:
            raise MissingError("features of a boundary set")
        features.sort(key=lambda feature: feature["number"])
        return BoundarySet(
            layer=document["layer"],
            label=document["label"],
            version=document["version"],
            source=document["source"],
            licence=document["licence"],
            approximate=document["approximate"],
            agreement=document["agreement"],
            features=tuple(
                Feature(feature["code"], feature["name"], json.loads(feature["geometry"]))
                for feature in features
            ),
            repaired=tuple(document["repaired"]),
        )

    async def put(self, one: BoundarySet, imported_by: str, at: datetime) -> None:
        await self._store(one, imported_by, at)
        await self._heads.update_one(
            {"_id": _IN_FORCE}, {"$set": {f"versions.{one.layer}": one.version}}, upsert=True
        )

    async def keep(self, one: BoundarySet, imported_by: str, at: datetime) -> None:
        if not await self.known(one.layer, one.version):
            await self._store(one, imported_by, at)

    async def known(self, layer: str, version: str) -> bool:
        found = await self._sets.find_one({"_id": _key(layer, version)}, {"_id": 1})
        return found is not None

    async def swap(self, layer: str, before: str | None, after: str | None) -> bool:
        name = f"versions.{layer}"
        change = {"$unset": {name: ""}} if after is None else {"$set": {name: after}}
        if before is None:
            # The document may be missing in a database without any set.
            await self._heads.update_one(
                {"_id": _IN_FORCE}, {"$setOnInsert": {"versions": {}}}, upsert=True
            )
        there = {"$exists": False} if before is None else before
        await self._heads.update_one({"_id": _IN_FORCE, name: there}, change)
        return (await self.in_force()).get(layer) == after

    async def _store(self, one: BoundarySet, imported_by: str, at: datetime) -> None:
        key = _key(one.layer, one.version)
        for number, feature in enumerate(one.features):
            document = {
                "set": key,
                "number": number,
                "code": feature.code,
                "name": feature.name,
                # Text: a nested array of ten thousand numbers is slow to read and to write.
                "geometry": json.dumps(feature.geometry),
            }
            await self._features.replace_one({"_id": f"{key}:{number}"}, document, upsert=True)
        await self._sets.update_one(
            {"_id": key},
            {
                "$set": {
                    "layer": one.layer,
                    "label": one.label,
                    "version": one.version,
                    "source": one.source,
                    "licence": one.licence,
                    "approximate": one.approximate,
                    "agreement": one.agreement,
                    "features": len(one.features),
                    "repaired": list(one.repaired),
                    "imported_by": imported_by,
                    "imported_at": at,
                }
            },
            upsert=True,
        )

    async def list(self) -> Sequence[ImportedSet]:
        in_force = await self.in_force()
        found = [
            ImportedSet(
                layer=document["layer"],
                version=document["version"],
                source=document["source"],
                licence=document["licence"],
                approximate=document["approximate"],
                agreement=document["agreement"],
                features=document["features"],
                repaired=tuple(document["repaired"]),
                imported_by=document["imported_by"],
                imported_at=document["imported_at"],
                in_force=in_force.get(document["layer"]) == document["version"],
            )
            async for document in self._sets.find({})
        ]
        return sorted(found, key=lambda one: (one.layer, -one.imported_at.timestamp()))


def _key(layer: str, version: str) -> str:
    return f"{layer}:{version}"
