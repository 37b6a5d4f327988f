"""Keyed hashes of persons and places, and the registry that is asked by them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from direct311.schemas.events import Place


class Protections(Protocol):
    """The protection registry (section 119.071(4)(d), F.S.), as keyed hashes."""

    @property
    def version(self) -> int: ...

    def matches(self, hashes: Iterable[str]) -> bool:
        """Whether any of these identifiers is a protected person's."""
        ...


@dataclass(frozen=True, slots=True)
class ReadAddress:
    """An address in one normalised line, `None` where it is none by the book, and where it lies,
    where that is known: in degrees of WGS 84, right to `error_m` metres.

    `readings`: the short forms by which the same house is known however it is written. `known`: geo
    knows street and range, so that no word of the line is only the writer's.
    """

    line: str | None
    point: tuple[float, float] | None = None
    error_m: float = 0.0
    readings: tuple[str, ...] = ()
    known: bool = False


class Addresses(Protocol):
    """Geo's reading of an address."""

    async def normalise(self, address: str, given: Place | None = None) -> ReadAddress | None:
        """`None` where the text is no address and has no reading. `given`: what was given with it.

        :raises TransientError: geo does not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class HomeValues:
    """Index values of a reporter's own address, under the kind `home`.

    `settled`: geo has answered. Where it did not, these are of the address as it was typed, by
    which the protection registry may not know it: they must be made again.
    """

    values: tuple[str, ...]
    settled: bool


class Home(Protocol):
    async def __call__(self, address: str) -> HomeValues: ...


class PersonIndexes(Protocol):
    """Keyed hashes of what identifies a person or a place; nobody else can make them."""

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions of the keys in force, newest first. All values are made under each."""
        ...

    def person(self, field: str, value: str) -> tuple[str, ...]:
        """What is sought for a `phone`, `email` or `name`: index values of all its readings, one of
        which a request of the same person has. None where it cannot be one."""
        ...

    def of(self, plain: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
        """What is held of a submission's fields, by kind: index values of all readings of each."""
        ...

    def place(
        self, address: str | None, latitude: float | None, longitude: float | None
    ) -> tuple[str, ...]:
        """The index values of an address (normalised, one line) and of the cells that a point
        lies in."""
        ...

    def around(self, latitude: float, longitude: float, reach_m: float) -> tuple[str, ...]:
        """The index values of the cells that lie within `reach_m` metres of a point, in part or
        whole."""
        ...

    def query(self, field: str, value: str) -> str:
        """A hash of a search under a key of this month, for the log alone."""
        ...
