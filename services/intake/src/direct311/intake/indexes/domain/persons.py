"""Which of these records belong to the same person: by keyed hashes, without knowing who it is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from direct311.intake.request import SENDERS

CONTACT = ("phone", "email")
"""The kinds that distinguish people. Two people can share a name, and a name alone reaches
nobody."""


@dataclass(frozen=True, slots=True)
class Persons:
    """Records sorted by person. `without_contact`: there is neither a telephone number nor an
    e-mail address, so the person is unknown. `gone`: the records no longer exist. `senders`: by
    record, how many others at most have left contact data with a comment on it."""

    persons: tuple[tuple[str, ...], ...]
    without_contact: tuple[str, ...]
    gone: tuple[str, ...]
    senders: Mapping[str, int]


def sorted_by_person(
    record_ids: Sequence[str], indexes: Mapping[str, Mapping[str, Sequence[str]]]
) -> Persons:
    """Records that share a telephone number or an e-mail address, directly or through others,
    belong to one person.

    :param indexes: by record id, the blind index values of each kind; destroyed records are
    missing.
    """
    leaders: dict[str, str] = {}

    def leader(name: str) -> str:
        while leaders.setdefault(name, name) != name:
            leaders[name] = name = leaders[leaders[name]]
        return name

    asked = tuple(dict.fromkeys(record_ids))
    without, known = [], []
    for record_id in asked:
        if record_id not in indexes:
            continue
        values = list(_contacts(indexes[record_id]))
        if not values:
            without.append(record_id)
            continue
        known.append(record_id)
        for value in values:
            # No record id contains a slash.
            leaders[leader(value)] = leader(record_id)
    persons: dict[str, list[str]] = {}
    for record_id in known:
        persons.setdefault(leader(record_id), []).append(record_id)
    return Persons(
        tuple(tuple(each) for each in persons.values()),
        tuple(without),
        tuple(record_id for record_id in asked if record_id not in indexes),
        # A sender with several values, or with values hashed under two keys, counts for each, so
        # the number is never too low.
        {name: len(set(indexes[name][SENDERS])) for name in asked if _has_senders(indexes, name)},
    )


def _has_senders(indexes: Mapping[str, Mapping[str, Sequence[str]]], record_id: str) -> bool:
    return bool(indexes.get(record_id, {}).get(SENDERS))


def _contacts(indexes: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for kind in CONTACT:
        for value in indexes.get(kind, ()):
            yield f"{kind}/{value}"
