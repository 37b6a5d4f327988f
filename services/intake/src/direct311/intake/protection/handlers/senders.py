"""Keyed hashes of those who sent comments through a client while their contact data were kept: by
these the registry still knows them."""

from collections.abc import Mapping

from direct311.intake.indexes.ports import PersonIndexes


def of_senders(indexes: PersonIndexes, senders: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """The values of all kinds of all of them, from what `update_contacts` holds."""
    found = (
        value
        for contact in senders.values()
        for values in indexes.of(contact).values()
        for value in values
    )
    return tuple(sorted(set(found)))
