"""Keyed hashes of people who sent comments through a client while their contact data was still
kept. The registry still recognizes them by these."""

from collections.abc import Mapping

from direct311.intake.indexes.ports import PersonIndexes


def of_senders(indexes: PersonIndexes, senders: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """Their values of all kinds, from the content of `update_contacts`."""
    found = (
        value
        for contact in senders.values()
        for values in indexes.of(contact).values()
        for value in values
    )
    return tuple(sorted(set(found)))
