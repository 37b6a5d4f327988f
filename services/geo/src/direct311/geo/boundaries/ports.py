"""The boundary sets in force, and where all of them are kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from direct311.geo.boundaries.domain import (
    BoundarySet,
    Finding,
    ImportedSet,
    Located,
    SourceFile,
    ZipArea,
)


class Boundaries(Protocol):
    """The boundary sets in force, all layers at once."""

    def locate(self, latitude: float, longitude: float) -> Located:
        """What is at a point in degrees of WGS 84. The same point always gives the same answer,
        even on a border."""
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
        """:raises BoundaryError: says what is wrong, and with which feature."""
        ...


class ReadFile(Protocol):
    """Reads a file of boundaries of any format."""

    def __call__(self, body: bytes, *, projection: str | None, table: str | None) -> SourceFile:
        """:raises BoundaryError: says what is wrong, and with which feature. :raises ValueError: it
        is of no known format."""
        ...


class CheckBoundarySet(Protocol):
    """Looks for what is wrong with a set that can be read."""

    def __call__(self, one: BoundarySet) -> Sequence[Finding]: ...


class BoundarySets(Protocol):
    """Every imported version of every layer, and which is in force."""

    async def in_force(self) -> Mapping[str, str]:
        """Layer → version."""
        ...

    async def load(self, versions: Mapping[str, str]) -> Sequence[BoundarySet]:
        """These sets, complete. Versions stay loadable after others have replaced them."""
        ...

    async def put(self, one: BoundarySet, imported_by: str, at: datetime) -> None:
        """Store a set and put it in force, which readers see as one step. May be repeated."""
        ...

    async def keep(self, one: BoundarySet, imported_by: str, at: datetime) -> None:
        """Store a set beside those in force. A set that is there already stays as it is."""
        ...

    async def swap(self, layer: str, before: str | None, after: str | None) -> bool:
        """Put another kept version of a layer in force, in one write, if `before` is in force now.
        `None`: no set. Returns whether `after` is in force; may be repeated."""
        ...

    async def known(self, layer: str, version: str) -> bool:
        """Whether this version of the layer is kept."""
        ...

    async def list(self) -> Sequence[ImportedSet]:
        """All imported sets, by layer, newest first."""
        ...
