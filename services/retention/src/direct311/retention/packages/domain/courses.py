"""How collecting and packaging lead a case of each kind through its states, and to whom what they
make goes."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from direct311.retention.cases.domain import CaseKind, CaseState


@dataclass(frozen=True, slots=True)
class Course:
    """`begins`: the states through which collecting leads a case that is in this one. `decided`:
    the state in which everything is collected, and nothing that was packaged counts. `recipient`:
    the class of whoever gets the package."""

    begins: Mapping[CaseState, tuple[CaseState, ...]]
    decided: CaseState
    recipient: str

    @property
    def packaging(self) -> tuple[CaseState, ...]:
        """The states in which a package can be built."""
        return ("collecting", self.decided, "packaged", "approved")


_RECORDS: Final = Course(
    begins=MappingProxyType(
        {
            # A grant that others approved says what the case is about.
            "acknowledged": ("scoping", "collecting"),
            "scoping": ("collecting",),
            "estimating": ("collecting",),
            "awaiting_payment": ("collecting",),
            "released": ("collecting",),
            "collecting": (),
            "reviewing": (),
            "packaged": (),
            "approved": (),
        }
    ),
    decided="reviewing",
    recipient="requester",
)
_LAW_ENFORCEMENT: Final = Course(
    begins=MappingProxyType(
        {
            "granted": ("collecting",),
            "released": ("collecting",),
            "receipted": ("collecting",),
            "collecting": (),
            "minimising": (),
            "packaged": (),
            "approved": (),
        }
    ),
    decided="minimising",
    recipient="law_enforcement_agency",
)


def course_of(kind: CaseKind | None) -> Course:
    """The course of a case of this kind."""
    return _LAW_ENFORCEMENT if kind == "law_enforcement" else _RECORDS
