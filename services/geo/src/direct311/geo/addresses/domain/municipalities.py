"""The county's municipalities and their many spellings in data."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from direct311.schemas import Model
from direct311.schemas.unicode import normalized

_OTHERS = re.compile(r"[^a-z0-9]+")
_PREFIX = re.compile(r"^(?:geo )?(?:(?:city|town|village) of )?")


class Jurisdiction(Model):
    """`name` is the one name used in events."""

    name: str
    aliases: tuple[str, ...] = ()


class Municipality(Jurisdiction):
    """`geoid` is the Census Bureau's code."""

    geoid: str
    kind: Literal["city", "town", "village"]


class MunicipalityNames(Model):
    """The content of `aliases.yaml`. `postal_only`: names that mean little as a postal city."""

    version: str
    citation: str
    effective_on: date
    unincorporated: Jurisdiction
    postal_only: tuple[str, ...] = ()
    municipalities: tuple[Municipality, ...]

    @property
    def all(self) -> tuple[Jurisdiction, ...]:
        return (self.unincorporated, *self.municipalities)


@dataclass(frozen=True, slots=True)
class Gazette:
    """Finds the municipality that a spelling means."""

    names: MunicipalityNames
    _by_spelling: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_spelling", dict(_spellings(self.names)))

    @property
    def unincorporated(self) -> str:
        return self.names.unincorporated.name

    def canonical(self, text: str | None) -> str | None:
        """The municipality's name, the unincorporated area's name, or `None` if unknown.

        >>> gazette.canonical("CIty_of_Sunny_Isles_Beach")  # doctest: +SKIP
        'Sunny Isles Beach'
        """
        folded = fold(text or "")
        return self._by_spelling.get(folded) or self._by_spelling.get(
            folded.removesuffix(" village").removesuffix(" city")
        )

    def is_postal_only(self, name: str) -> bool:
        """True if a mailing address with this city may be in another municipality."""
        return name in self.names.postal_only


def fold(text: str) -> str:
    """The form in which spellings are compared: lower case, without accents and words such as `City
    of`."""
    plain = normalized("NFKD", text[:200]).encode("ascii", "ignore").decode()
    words = _OTHERS.sub(" ", plain.lower()).strip()
    return _PREFIX.sub("", words)


def _spellings(names: MunicipalityNames) -> Iterable[tuple[str, str]]:
    for place in names.all:
        for spelling in (place.name, *place.aliases):
            yield fold(spelling), place.name
