"""What a reviewer is shown, what a decision leads to, and the rows of the exemption log."""

import hashlib
import json
from collections.abc import Callable
from typing import Final, Literal

from direct311.media.decisions import FileDecision, FileOutcome
from direct311.schemas import Instant, Model

FIELD: Final = "media_original"
"""What files are called in the access rules and in the exemption log."""

FileKind = Literal["picture", "pdf", "video", "audio", "document"]
"""What a file is to a reviewer. Boxes are possible in pictures and PDFs that can be rendered."""

BURNABLE_PICTURES: Final = frozenset(
    {"image/jpeg", "image/png", "image/webp", "image/gif", "image/heic", "image/avif"}
)
PDF: Final = "application/pdf"

Unrenderable = Literal[
    "encrypted", "unreadable", "no_such_page", "too_large", "too_many_pages", "timed_out"
]
"""Why a file cannot be rendered. It then goes out whole or not at all."""

Finding = Literal[
    "annotations",
    "attachments",
    "earlier_versions",
    "form",
    "layers",
    "metadata",
    "more_pictures",
    "position",
    "unscanned",
]
"""What goes out with a file as it came, and shows on no page. `unscanned`: nobody has looked for
anything in it but what is named beside it."""

UNSCANNED: Final[tuple[Finding, ...]] = ("unscanned",)


def kind_of(content_type: str) -> FileKind:
    """What a file of this type is to a reviewer."""
    if content_type == PDF:
        return "pdf"
    main = content_type.partition("/")[0]
    kinds: dict[str, FileKind] = {"image": "picture", "video": "video", "audio": "audio"}
    return kinds.get(main, "document")


def is_burnable(content_type: str) -> bool:
    """Whether a part of a file of this type can be burnt out."""
    return content_type == PDF or content_type in BURNABLE_PICTURES


class PageSize(Model):
    """In pixels, as the page is shown and rendered."""

    width: int
    height: int


class Look(Model):
    """What rendering a file would give."""

    pages: tuple[PageSize, ...] = ()
    findings: tuple[Finding, ...] = ()
    unrenderable: Unrenderable | None = None


class PageImage(Model):
    """A page as a picture without any metadata: JPEG or PNG."""

    content_type: str
    data: bytes

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.content_type}, {len(self.data)} bytes)"


class Burnt(PageImage):
    """A whole file anew, from pixels with black boxes: JPEG, PNG, or a PDF of one picture a
    page."""


class WithheldRow(Model):
    """A row of the exemption log. `item`: `file:<media id>`, or `file:<media id>:p<page>` for a box
    on that page. `version`: of the decision."""

    item: str
    field: str = FIELD
    code: str
    citation: str
    decided_by: str
    decided_at: Instant
    version: int


class FileExemptions(Model):
    """What a decision leads to, without the file. `decisions`: SHA-256 (hex) of the decision as
    canonical JSON. `unrenderable`: why a file that was to be redacted is withheld whole."""

    record_id: str
    media_id: str
    version: int
    decisions: str
    outcome: FileOutcome
    unrenderable: Unrenderable | None = None
    withheld: tuple[WithheldRow, ...] = ()


class FileFingerprint(Model):
    """One value to look for. `rolling` (16 hex digits) is of its first `window` characters; `mac`
    (32 hex digits) of all `length`. `own`: only in its record's own text."""

    record_id: str
    kind: str
    length: int
    window: int
    rolling: str
    mac: str
    own: bool


class FileFingerprints(Model):
    """What a finished package is searched for, so that what is withheld of one file is found.
    `files`: keyed hashes (32 hex digits) of the file itself, and of larger pictures and attachments
    in it. `record_id`: from which it is withheld; `None` if nothing is."""

    record_id: str | None = None
    fingerprints: tuple[FileFingerprint, ...] = ()
    files: tuple[str, ...] = ()


RenderedKind = Literal["original", "redacted"]
"""A file as it came, or made anew from pixels with black boxes."""


class RenderedFile(Model):
    """What goes out of a file."""

    record_id: str
    media_id: str
    version: int
    decisions: str
    kind: RenderedKind
    content_type: str
    data: bytes
    sha256: str
    warnings: tuple[Finding, ...] = ()

    def __repr__(self) -> str:
        return f"RenderedFile({self.kind}, {self.content_type}, {len(self.data)} bytes)"


def hash_of(decision: FileDecision) -> str:
    """SHA-256 (hex) of the decision as canonical JSON, whether or not it has rendered."""
    text = json.dumps(
        decision.model_dump(mode="json", exclude={"rendered"}),
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    return hashlib.sha256(text.encode()).hexdigest()


def exemptions_of(
    record_id: str,
    decision: FileDecision,
    citation_of: Callable[[str], str],
    unrenderable: Unrenderable | None = None,
) -> FileExemptions:
    """The rows of the exemption log: one for each box, in the order of the pages, or one for each
    code if the whole file is withheld. A file that was to be redacted and cannot be rendered is
    withheld whole, by the exemptions of its boxes."""
    whole = decision.outcome == "withhold" or unrenderable is not None
    item = f"file:{decision.media_id}"
    if whole:
        places = [(item, code) for code in sorted(set(decision.cited))]
    else:
        boxes = sorted(decision.boxes, key=lambda box: (box.page, box.top, box.left, box.code))
        places = [(f"{item}:p{box.page}", box.code) for box in boxes]
    return FileExemptions(
        record_id=record_id,
        media_id=decision.media_id,
        version=decision.version,
        decisions=hash_of(decision),
        outcome="withhold" if whole else decision.outcome,
        unrenderable=unrenderable,
        withheld=tuple(
            WithheldRow(
                item=item,
                code=code,
                citation=citation_of(code),
                decided_by=decision.decided_by,
                decided_at=decision.decided_at,
                version=decision.version,
            )
            for item, code in places
        ),
    )
