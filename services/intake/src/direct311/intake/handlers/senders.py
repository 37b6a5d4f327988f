"""Keyed hashes of those who sent comments through a client, by which the registry knows them."""

from collections.abc import Mapping

from direct311.intake.ports import PersonIndexes


def of_contacts(indexes: PersonIndexes, contact: Mapping[str, str]) -> frozenset[str]:
    """The values of all kinds of one sender."""
    return frozenset(value for values in indexes.of(contact).values() for value in values)


def of_senders(indexes: PersonIndexes, senders: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """The values of all, from what `update_contacts` holds."""
    found = (of_contacts(indexes, contact) for contact in senders.values())
    return tuple(sorted(frozenset().union(*found)))
