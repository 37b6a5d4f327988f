"""What a disclosure case may open: the grant as a fact about a record, and what a use of it lacks.

Pure. Whether a grant is genuine is decided before (`disclosures`), at every use.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from direct311.runtime.access.reasons import same_reference
from direct311.runtime.persons import different_persons, same_person

PERSON_INDEX = "person_index"
"""The field that stands for a search by person."""
FILES = "media_original"
"""The field that stands for the files of a record."""

Lack = tuple[str, str]
"""The rule that is not met, and what is needed, in words that may be shown."""

NO_GRANT: Lack = (
    "disclosure_case",
    "An approved disclosure case that names you; there is none with this number.",
)


@dataclass(frozen=True, slots=True)
class CaseGrant:
    """A genuine grant. `searches`: how many searches of each kind. `approvers`: the people who
    approved it. `exempt_until`: until when the case is exempt from inspection, if it is.
    `prepared_at`: when somebody prepared it."""

    case_id: str
    grant_id: str
    kind: str
    record_ids: frozenset[str]
    file_ids: frozenset[str]
    fields: frozenset[str]
    searches: Mapping[str, int]
    workers: frozenset[str]
    prepared_by: str
    approvers: tuple[str, ...]
    valid_until: datetime
    revoked: bool = False
    exempt_until: datetime | None = None
    prepared_at: datetime | None = None

    def is_in_force_for(self, sub: str, at: datetime) -> bool:
        """Whether it names this person as a worker, and has not ended."""
        return sub in self.workers and not self.revoked and at < self.valid_until


@dataclass(frozen=True, slots=True)
class GrantedUse:
    """What somebody wants to do under a grant. `file_id`: the one file to open. `search`: the kind
    of search, of which the grant's workers have made `searched` before. `record_id` is `None` for a
    search."""

    sub: str
    purpose: str
    fields: tuple[str, ...]
    reference: str | None
    at: datetime
    record_id: str | None = None
    file_id: str | None = None
    search: str | None = None
    searched: int = 0


def lacking(grants: Sequence[CaseGrant], use: GrantedUse) -> Lack | None:
    """What the use lacks; `None` if one of the grants allows all of it.

    Somebody whom no grant names learns nothing about it, not even that the case exists.
    """
    named = [
        grant
        for grant in grants
        if same_reference(use.reference or "", grant.case_id) and use.sub in grant.workers
    ]
    lacks = [_lacks(grant, use) for grant in named]
    if not lacks:
        return NO_GRANT
    return None if None in lacks else lacks[-1]


def _lacks(grant: CaseGrant, use: GrantedUse) -> Lack | None:
    if use.purpose != grant.kind:
        return "grant_kind", "The purpose that the case was granted for."
    if not _by_others(grant.prepared_by, grant.approvers):
        return "same_person", "The approval of people other than the one who prepared the grant."
    if grant.revoked:
        return "grant_revoked", "A grant that was not revoked."
    if not grant.is_in_force_for(use.sub, use.at):
        return "grant_expired", "A grant that has not expired."
    if use.search is None:
        if use.record_id is None or use.record_id not in grant.record_ids:
            return "grant_records", "A record that the grant names."
    elif use.searched >= grant.searches.get(use.search, 0):
        return "grant_searches", "A search that the grant allows, and that was not made yet."
    if missing := [field for field in use.fields if field not in grant.fields]:
        return "grant_fields", f"Not in the grant: {', '.join(missing)}."
    if PERSON_INDEX in use.fields and use.search is None:
        return "grant_searches", "A search that the grant allows, and that was not made yet."
    if FILES in use.fields and use.file_id not in grant.file_ids:
        return "grant_files", "A file that the grant names."
    return None


def _by_others(prepared_by: str, approvers: Iterable[str]) -> bool:
    """Whether different people approved it, none of whom prepared it."""
    approved = tuple(approvers)
    return (
        bool(approved)
        and len(different_persons(approved)) == len(approved)
        and not any(same_person(prepared_by, each) for each in approved)
    )
