"""What a case file keeps of denials: what was denied, by which law, and who approved that.

The statement for the requester is sealed; here is its hash.
"""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, Final, Literal

from direct311.schemas import Instant, Model, replaced
from direct311.schemas import events as ev

STATEMENT: Final = "case_statement"
"""The sealed field with the statement of a denial (section 119.07(1)(f), F.S.)."""
MOST_DENIALS: Final = 50
"""The most denials in one case file."""
DenialOutcome = Literal["denied", "part"]
DenialState = Literal["prepared", "approved", "replaced"]
DenialReason = Literal["exempt", "not_a_record", "not_held"]


class DeniedItem(Model):
    """What is denied, and why. `record_id`: absent if it is all that was asked for. `field`: absent
    if it is all of the record. `exemption`, `citation`: by which law, if the reason is `exempt`."""

    reason: DenialReason
    record_id: str | None = None
    field: str | None = None
    exemption: str | None = None
    citation: str | None = None


class DenialApproval(Model):
    """One person's approval of a denial, and in which role it was given."""

    role: str
    approval: ev.Approval


class Denial(Model):
    """A denial, from its preparation on. What is approved never changes after that.

    `outcome`: `denied` closes the case, `part` lets it go on with the rest. `statement`: SHA-256
    (hex) of what the requester is told. `needed`: the roles in which somebody must approve it.
    `prepared_from`: the version of the case that the person who prepared it had seen.
    """

    denial_id: str
    case_id: str
    outcome: DenialOutcome
    items: tuple[DeniedItem, ...]
    statement: str
    prepared_by: str
    prepared_at: Instant
    prepared_from: int
    needed: tuple[str, ...]
    approvals: tuple[DenialApproval, ...] = ()
    approved_at: Instant | None = None

    @property
    def sealed_name(self) -> str:
        """What binds the ciphertext of the statement to this denial; the key binds the case."""
        return f"{STATEMENT}/{self.denial_id}"

    @property
    def content(self) -> dict[str, Any]:
        """Exactly what the approvers approve, as a JSON value."""
        return self.model_dump(
            mode="json",
            include={
                "denial_id",
                "case_id",
                "outcome",
                "items",
                "statement",
                "prepared_by",
                "prepared_at",
            },
            exclude_none=True,
        )

    @property
    def version(self) -> int:
        """Counts what happened to it: 1 when it is prepared, one more for each approval."""
        return 1 + len(self.approvals)

    @property
    def exemptions(self) -> tuple[str, ...]:
        """The codes of the exemptions that it asserts, each once."""
        return tuple(dict.fromkeys(each.exemption for each in self.items if each.exemption))

    @property
    def missing(self) -> tuple[str, ...]:
        """The roles in which nobody has approved it yet."""
        given = {each.role for each in self.approvals}
        return tuple(role for role in self.needed if role not in given)

    def is_like(self, other: "Denial") -> bool:
        """Whether they say the same, maybe at another time."""
        return self.content | {"prepared_at": None} == other.content | {"prepared_at": None}

    def approved_by(self, approval: DenialApproval) -> "Denial":
        """A copy with one more approval. The last one that it needs puts it into effect."""
        last = set(self.missing) == {approval.role}
        return replaced(
            self,
            approvals=(*self.approvals, approval),
            approved_at=approval.approval.approved_at if last else self.approved_at,
        )


class CaseDenials(Model):
    """The denials of a case, oldest first. Of those that are not approved, the newest counts."""

    all: tuple[Denial, ...] = ()

    @property
    def approved(self) -> tuple[Denial, ...]:
        """Those that are in effect."""
        return tuple(each for each in self.all if each.approved_at is not None)

    @property
    def acts(self) -> Iterator[datetime]:
        """When somebody did something about one."""
        for each in self.all:
            yield each.prepared_at
            yield from (given.approval.approved_at for given in each.approvals)

    def find(self, denial_id: str) -> Denial | None:
        """The denial with this id."""
        return next((each for each in self.all if each.denial_id == denial_id), None)

    def state(self, denial: Denial) -> DenialState:
        """What became of it. `replaced`: another one was prepared before it was approved."""
        if denial.approved_at is not None:
            return "approved"
        return "prepared" if self.all[-1].denial_id == denial.denial_id else "replaced"

    def having(self, denial: Denial) -> "CaseDenials":
        """A copy with this denial, in place of the one with the same id."""
        if self.find(denial.denial_id) is None:
            return replaced(self, all=(*self.all, denial))
        same = denial.denial_id
        return replaced(
            self, all=tuple(denial if each.denial_id == same else each for each in self.all)
        )


def needed_for(
    items: Collection[DeniedItem], deniers: Collection[str], exemption_deniers: Collection[str]
) -> tuple[str, ...]:
    """The roles in which somebody must approve a denial of these items."""
    asserted = any(each.exemption for each in items)
    return tuple(dict.fromkeys((*deniers, *(exemption_deniers if asserted else ()))))
