"""What the case desk needs from outside."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from direct311.retention.cases.domain import CaseFile, CaseKind
from direct311.retention.holds.domain import Bounds


class Cases(Protocol):
    """Queries over all case files. Writes go through the event processor."""

    async def page(
        self, kinds: Collection[CaseKind], after: str | None, limit: int
    ) -> Sequence[CaseFile]:
        """Case files of these kinds by number, after this number; none that is destroyed."""
        ...

    async def submitted(self, mark: str) -> CaseFile | None:
        """The case file of the public submission with this mark, if it was not destroyed."""
        ...

    async def of_token(self, token_hash: str) -> CaseFile | None:
        """The case file with this token (SHA-256, hex), if it is not destroyed or being
        destroyed."""
        ...

    async def unfiled(self, limit: int) -> Sequence[CaseFile]:
        """Case files whose newest dates the inventory does not know yet."""
        ...


class SealedDocuments(Protocol):
    """The sealed letters and instruments of case files, by their SHA-256. What is collected and
    packaged for a case lies beside them, under longer names."""

    async def put(self, case_id: str, sha256: str, sealed: bytes) -> None:
        """Write or overwrite one."""
        ...

    async def get(self, case_id: str, sha256: str) -> bytes:
        """:raises MissingObjectError: it is gone."""
        ...

    async def remove(self, case_id: str, name: str) -> None:
        """Remove all whose names begin so, in all their versions; does nothing if there are
        none."""
        ...

    async def builds_of_shard(self, shard: int, older_than: datetime) -> Sequence[tuple[str, str]]:
        """The cases of one of 256 shards with their packages' builds of which every piece was
        written before."""
        ...

    async def remove_all(self, case_id: str) -> tuple[int, int]:
        """Remove all of a case in all their versions; returns how many, and their bytes."""
        ...


class Shelf(Protocol):
    """The inventory, in which each case file is a scheduled record."""

    async def put(
        self, case_id: str, *, version: int, received_at: datetime, closed_at: datetime | None
    ) -> bool:
        """Enter a case file, that it was closed, or that it is open again; may be repeated. What an
        older version of the file says has no effect.

        Returns whether the file is kept: false if its destruction has been ordered.
        """
        ...

    async def went_out(self, case_id: str, packages: Mapping[str, str]) -> None:
        """Remember with the records themselves that they went out with a case, each in a package
        (SHA-256, hex). May be repeated."""
        ...


class Preserving(Protocol):
    """What a case stops from its opening on."""

    async def check(self, bounds: Bounds | None) -> None:
        """:raises MalformedError: the bounds name what no record has, or no record."""
        ...

    async def bounds_again(self, state: CaseFile, bounds: Bounds | None) -> Bounds | None:
        """Within which bounds a case stops destruction when it is opened again: those given, or its
        earlier ones, and always the records of its holds.

        :raises MalformedError: the bounds name what no record has.
        """
        ...

    async def opened(self, case_id: str) -> CaseFile:
        """Make sure that everybody who orders a destruction knows of a case that was written."""
        ...
