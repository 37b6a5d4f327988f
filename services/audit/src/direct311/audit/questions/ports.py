"""Whose record it is: only intake can tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Persons:
    """Records sorted by person, and records whose person is unknown because they have neither a
    telephone number nor an e-mail address. `senders`: by record, how many others at most have left
    contact data with a comment on it."""

    persons: Sequence[Sequence[str]]
    without_contact: Sequence[str]
    senders: Mapping[str, int] = field(default_factory=dict)


class People(Protocol):
    """The only service that can tell which records are a person's."""

    async def resolve(
        self, person: Mapping[str, str], reference: str, authorization: str
    ) -> Sequence[str]:
        """The ids of the records of a phone number, e-mail address or name.

        `authorization` is the auditor's own header: the search is the auditor's access.
        """
        ...

    async def group(self, record_ids: Sequence[str], reference: str, authorization: str) -> Persons:
        """Which of these records belong to the same person; this is the auditor's access too.
        Records that no longer exist are in neither list."""
        ...
