"""What is stored about the review of a file: the decision under each case."""

from collections.abc import Sequence
from typing import Final, Literal

from direct311.schemas import Instant, Model, replaced
from direct311.schemas.events import DisclosureKind
from direct311.schemas.model import Code, RecordId

FileOutcome = Literal["release", "redact", "withhold"]
"""`release`: as it came. `redact`: with boxes burnt in. `withhold`: nothing of it."""
MOST_PAGES: Final = 10_000
"""The highest number of a page that a box may name."""
MOST_BOXES: Final = 1_000
"""In one file."""
MOST_BOXES_OF_A_RECORD: Final = 20_000
"""In the decisions of all cases on the files of one record, so that they fit into its document. A
decision without boxes counts as one."""


class Box(Model):
    """A part of a page that is burnt out, and the exemption that says so. The sides are parts of
    the page's width, from its left side, and of its height, from its top. A picture is page 1,
    upright."""

    page: int = 1
    left: float
    top: float
    right: float
    bottom: float
    code: Code


class FileDecision(Model):
    """What one person decided about a file for one case. `kind`: of the case. `version`: 1 for the
    first decision, one more for each that replaces it. `codes`: of the exemptions that withhold the
    whole file. `protected`: whether the record was protected when it was decided. `rendered`:
    whether somebody was given what goes out of the file by it."""

    case_id: RecordId
    media_id: RecordId
    kind: DisclosureKind
    version: int
    outcome: FileOutcome
    codes: tuple[Code, ...] = ()
    boxes: tuple[Box, ...] = ()
    decided_by: str
    decided_at: Instant
    protected: bool = False
    rendered: bool = False

    @property
    def cited(self) -> tuple[str, ...]:
        """The code of each box, or each code that withholds the file."""
        return self.codes if self.outcome == "withhold" else tuple(box.code for box in self.boxes)

    def once_rendered(self) -> "FileDecision":
        """A copy by which something went out."""
        return replaced(self, rendered=True)

    def may_be_offered_to(self, kind: DisclosureKind) -> bool:
        """Whether the reviewer of a case of this kind may learn of it. That law enforcement has a
        case about the record is exempt (section 119.071(2)(c), F.S.)."""
        return self.kind == "public_records" or kind == "law_enforcement"

    def says(
        self, outcome: FileOutcome, codes: Sequence[str], boxes: Sequence[Box], sub: str
    ) -> bool:
        """Whether this person decided exactly this."""
        said = (self.outcome, self.codes, self.boxes, self.decided_by)
        return said == (outcome, tuple(codes), tuple(boxes), sub)
