"""Keyed hashes of people and places, and the registry that uses them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from direct311.schemas.events import Place


class Protections(Protocol):
    """The protection registry (section 119.071(4)(d), F.S.), as keyed hashes."""

    @property
    def version(self) -> int: ...

    def matches(self, hashes: Iterable[str]) -> bool:
        """Whether any of these identifiers belongs to a protected person."""
        ...


@dataclass(frozen=True, slots=True)
class ReadAddress:
    """An address in one normalized line (`None` if it is not a proper address), and its position if
    known: in degrees of WGS 84, accurate to `error_m` meters.

    `readings`: short forms that identify the house however its address is written. `known`: geo
    knows street and range, so none of the line's words come only from the writer.
    """

    line: str | None
    point: tuple[float, float] | None = None
    error_m: float = 0.0
    readings: tuple[str, ...] = ()
    known: bool = False


class Addresses(Protocol):
    """Geo's reading of an address."""

    async def normalise(self, address: str, given: Place | None = None) -> ReadAddress | None:
        """`None` if the text is not an address and has no reading. `given`: what was given with it.

        :raises TransientError: geo does not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class HomeValues:
    """Index values of a reporter's own address, under the kind `home`.

    `settled`: geo has answered. If it has not, these values are for the address as typed, which the
    protection registry may not recognize, so they must be made again.
    """

    values: tuple[str, ...]
    settled: bool


class Home(Protocol):
    async def __call__(self, address: str) -> HomeValues: ...


class PersonIndexes(Protocol):
    """Keyed hashes of what identifies a person or a place; nobody else can make them."""

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions of the keys in force, newest first. Every value is made under each."""
        ...

    def person(self, field: str, value: str) -> tuple[str, ...]:
        """The values to search for a `phone`, `email` or `name`: index values of all its readings,
        of which a request from the same person has at least one. Empty if it cannot be one."""
        ...

    def of(self, plain: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
        """The values stored for a submission's fields, by kind: index values of all readings of
        each."""
        ...

    def place(
        self, address: str | None, latitude: float | None, longitude: float | None
    ) -> tuple[str, ...]:
        """The index values of an address (normalized, one line) and of the cells that contain a
        point."""
        ...

    def around(self, latitude: float, longitude: float, reach_m: float) -> tuple[str, ...]:
        """The index values of the cells that are partly or completely within `reach_m` meters of a
        point."""
        ...

    def query(self, field: str, value: str) -> str:
        """A hash of a search under this month's key, only for the log."""
        ...

    def text_query(self, kind: str, words: str) -> str:
        """The same for a search of some kind in texts; `words` in their normal form."""
        ...
