"""The boundary sets in force, and where all of them are kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from direct311.geo.boundaries.domain import BoundarySet, ImportedSet, Located, ZipArea


class Boundaries(Protocol):
    """The boundary sets in force, all layers at once."""

    def locate(self, latitude: float, longitude: float) -> Located:
        """What lies at a point in degrees of WGS 84. The same point gives the same answer, on a
        border too."""
        ...

    def zip_area(self, zip_code: str) -> ZipArea | None:
        """The area of a ZIP code, or `None` if no loaded set has it."""
        ...


class ReadBoundarySet(Protocol):
    """Reads a boundary set from a document of its format."""

    def __call__(
        self,
        document: object,
        *,
        layer: str,
        label: str,
        source: str | None,
        licence: str | None,
        approximate: bool | None,
    ) -> BoundarySet:
        """:raises BoundaryError: what is wrong with it, and with which feature."""
        ...


class BoundarySets(Protocol):
    """Every version of every layer that was imported, and which is in force."""

    async def in_force(self) -> Mapping[str, str]:
        """Layer → version."""
        ...

    async def load(self, versions: Mapping[str, str]) -> Sequence[BoundarySet]:
        """These sets, whole. Versions stay loadable after others have replaced them."""
        ...

    async def put(self, one: BoundarySet, imported_by: str, at: datetime) -> None:
        """Keep a set, then put it in force, in one step for who looks. May be repeated."""
        ...

    async def list(self) -> Sequence[ImportedSet]:
        """All that were imported, by layer, the newest first."""
        ...
