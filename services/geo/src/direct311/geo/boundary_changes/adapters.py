"""Versions and the walk in the database, the acts in the signed log, the rules of layers."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from direct311.geo.boundaries.domain import LAYER_NAME
from direct311.geo.boundary_changes.domain import BoundaryVersion, LayerRules, Walk
from direct311.runtime import datafile
from direct311.runtime.access.ledger import Access, Ledger
from direct311.runtime.access.rules import Caller, Decision
from direct311.runtime.storage.database import Collection, Document, DuplicateError

_WALK = "resolve_anew"
MOST_OVERLAP_M = 1000.0


def layer_rules(replacement: Path | None = None) -> LayerRules:
    """`layers.yaml`. :raises DataFileError: it is invalid."""
    source = replacement or datafile.packaged("direct311.geo", "layers.yaml")
    return datafile.load(LayerRules, source, _problems).content


def _problems(rules: LayerRules) -> Iterable[datafile.Problem]:
    if not 0 < rules.widest_overlap_m <= MOST_OVERLAP_M:
        yield "", "widest_overlap_m", f"must be more than 0 and at most {MOST_OVERLAP_M:g} meters"
    for name in rules.exclusive:
        if not LAYER_NAME.fullmatch(name):
            yield "exclusive", name, "is not the name of a layer"


class MongoBoundaryVersions:
    """Implements `BoundaryVersions`: a document for each, replaced as a whole."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def get(self, set_id: str) -> BoundaryVersion | None:
        found = await self._collection.find_one({"_id": set_id})
        return _version(found) if found else None

    async def add(self, version: BoundaryVersion) -> bool:
        try:
            await self._collection.insert_one(_document(version))
        except DuplicateError:
            return False
        return True

    async def replace(self, version: BoundaryVersion) -> bool:
        result = await self._collection.replace_one(
            {"_id": version.set_id, "revision": version.revision}, _document(version.rewritten())
        )
        return bool(result.matched_count == 1)

    async def list(self) -> Sequence[BoundaryVersion]:
        return [_version(each) async for each in self._collection.find({}, sort=[("_id", 1)])]


class MongoWalks:
    """Implements `Walks`: one document."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def get(self) -> Walk | None:
        found = await self._collection.find_one({"_id": _WALK})
        if found is None:
            return None
        return Walk.model_validate({name: found[name] for name in found if name != "_id"})

    async def put(self, walk: Walk) -> None:
        await self._collection.replace_one(
            {"_id": _WALK}, walk.model_dump(mode="python"), upsert=True
        )


class LedgerActs:
    """Implements `ActLog`: a `policy_change` of the service, which names the people, as for every
    set of rules that comes into force (decision 26)."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def write(
        self, act: str, version: BoundaryVersion, people: Sequence[str], at: datetime
    ) -> None:
        by = f"proposed by {people[0]}" if act == "proposed" else f"by {', '.join(people)}"
        access = Access(
            Caller("svc:geo", ("service",), authentication="service"),
            action="policy_change",
            purpose=None,
            operation=f"boundaries {version.layer} {act}",
            reference=by,
        )
        decision = Decision(
            allowed=True,
            rule_id=f"boundaries {version.layer}",
            needed="",
            fields=(),
            obligations=(),
            policy_hash=sha256(f"{version.layer}:{version.version}".encode()).hexdigest(),
            legal_basis=None,
        )
        before = f"in place of {version.replaces}" if version.replaces else "the first"
        await self._ledger.write(
            access, decision, "success", reason=f"version {version.version}, {before}"
        )


def _document(version: BoundaryVersion) -> Document:
    return {"_id": version.set_id, **version.model_dump(mode="python", exclude={"set_id"})}


def _version(document: Document) -> BoundaryVersion:
    return BoundaryVersion.model_validate({**document, "set_id": document["_id"]})
