"""What a case is about: what to look for, and where."""

from datetime import datetime
from typing import Final

from direct311.schemas import Instant, Model, replaced

SCOPE: Final = "case_scope"
"""The sealed field with the values that name a person, an address or words, as JSON."""


class SealedScope(Model, extra="forbid"):
    """The values that are sealed: whom to look for, at which address, with which words."""

    name: str | None = None
    email: str | None = None
    phone: str | None = None
    person_address: str | None = None
    address: str | None = None
    words: tuple[str, ...] = ()

    @property
    def personal(self) -> bool:
        """Whether it looks for a person."""
        return any((self.name, self.email, self.phone, self.person_address))

    @property
    def criteria(self) -> tuple[str, ...]:
        """What it looks for, in codes."""
        named = {"person": self.personal, "place": self.address, "words": self.words}
        return tuple(code for code, given in named.items() if given)


class OpenScope(Model, extra="forbid"):
    """The values that say nothing about a person: records, place, request types, time,
    departments."""

    record_ids: tuple[str, ...] = ()
    service_codes: tuple[str, ...] = ()
    municipality: str | None = None
    departments: tuple[str, ...] = ()
    since: Instant | None = None
    until: Instant | None = None

    @property
    def criteria(self) -> tuple[str, ...]:
        """What it looks for, in codes."""
        named = {
            "record": self.record_ids,
            "type": self.service_codes,
            "place": self.municipality,
            "department": self.departments,
            "time": self.since or self.until,
        }
        return tuple(code for code, given in named.items() if given)


class CaseScope(Model):
    """The scope as it was last set. `revision` counts; `sealed` is `None` if nothing is sealed in
    it. `criteria`: by what it looks, in codes. `complete`: nothing is to be found out any more.
    `prepared_from`: the version of the case that whoever set it had seen."""

    revision: int = 1
    open: OpenScope = OpenScope()
    sealed: bytes | None = None
    criteria: tuple[str, ...] = ()
    complete: bool = False
    prepared_from: int
    set_by: str
    set_at: Instant

    def after(self, before: "CaseScope | None") -> "CaseScope":
        """A copy that replaces an earlier one."""
        return replaced(self, revision=before.revision + 1) if before else self

    def repeats(self, version: int, by: str, open_part: OpenScope, *, complete: bool) -> bool:
        """Whether the same person set the same from the same version, as far as it is not
        sealed."""
        return (self.prepared_from, self.set_by, self.open, self.complete) == (
            version,
            by,
            open_part,
            complete,
        )


def set_scope(
    open_part: OpenScope,
    sealed_part: SealedScope,
    sealed: bytes | None,
    *,
    complete: bool,
    version: int,
    by: str,
    at: datetime,
) -> CaseScope:
    """A scope that somebody sets now."""
    return CaseScope(
        open=open_part,
        sealed=sealed,
        criteria=tuple(dict.fromkeys((*sealed_part.criteria, *open_part.criteria))),
        complete=complete,
        prepared_from=version,
        set_by=by,
        set_at=at,
    )
