"""What of the law in data files nobody has confirmed yet: the list for counsel.

An entry says so itself: `confirmed: false` (or a name that ends with `_confirmed`), where counsel
decides; `verify: true`, where nobody has read the primary source. A sample is never confirmed, so
it is not on the list.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from direct311.runtime.datafile import DataFileError, parsed


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """An entry with such a mark.

    `entry`: the values of the first keys on the way to it, as the messages about a file name its
    entries. `mark`: the name of the mark. `citation`: the law that the entry names, or the file.
    `says`: its title, or else what it says.
    """

    entry: str
    mark: str
    citation: str
    says: str


def unconfirmed_in(path: Path) -> list[Unconfirmed]:
    """The marked entries of a data file, in its order.

    :raises DataFileError: it is no YAML file.
    """
    try:
        document = parsed(path.read_bytes())
    except (yaml.YAMLError, UnicodeDecodeError):
        raise DataFileError(path.name, [("", "", "not YAML")]) from None
    return list(unconfirmed(document)) if isinstance(document, dict) else []


def unconfirmed(document: Mapping[str, Any]) -> Iterator[Unconfirmed]:
    """The marked entries of what a data file says, in its order."""
    return _in_mapping(document, (), str(document.get("citation", "")))


def _in_mapping(
    found: Mapping[str, Any], names: tuple[str, ...], citation: str
) -> Iterator[Unconfirmed]:
    if found.get("sample") is True:
        return
    citation = str(found.get("citation", citation))
    for key, value in found.items():
        if _is_mark(key, value):
            yield Unconfirmed(" / ".join(names), key, citation, _says(found))
        elif isinstance(value, Mapping):
            yield from _in_mapping(value, (*names, str(key)), citation)
        elif isinstance(value, list):
            for each in value:
                if isinstance(each, Mapping):
                    first = str(next(iter(each.values()), ""))
                    yield from _in_mapping(each, (*names, first), citation)


def _is_mark(key: str, value: object) -> bool:
    if key == "verify":
        return value is True
    return value is False and (key == "confirmed" or key.endswith("_confirmed"))


def _says(found: Mapping[str, Any]) -> str:
    for key in ("title", "name"):
        if isinstance(found.get(key), str):
            number = found.get("number")
            return f"{found[key]}, {number}" if isinstance(number, str) else str(found[key])
    said = {
        key: value
        for key, value in found.items()
        if isinstance(value, str | int) and not isinstance(value, bool) and key != "citation"
    }
    return ", ".join(f"{key} {value}" for key, value in said.items())
