"""Whose a record is: intake alone can tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Persons:
    """Records sorted by the person that they are of; those whose person cannot be told, since they
    hold neither a telephone number nor an e-mail address. `senders`: by record, how many others
    have at most left contact data with a comment on it."""

    persons: Sequence[Sequence[str]]
    without_contact: Sequence[str]
    senders: Mapping[str, int] = field(default_factory=dict)


class People(Protocol):
    """The only service that can tell which records are a person's."""

    async def resolve(
        self, person: Mapping[str, str], reference: str, authorization: str
    ) -> Sequence[str]:
        """The ids of the records of a phone number, e-mail address or name.

        `authorization` is the auditor's own header: the search is an access of theirs.
        """
        ...

    async def group(self, record_ids: Sequence[str], reference: str, authorization: str) -> Persons:
        """Which of these records are the same person's; an access of the auditor's too. What does
        not exist any more is in neither list."""
        ...
