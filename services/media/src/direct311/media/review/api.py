"""Files of disclosure cases over HTTP: for reviewers, and for retention on behalf of a worker."""

import base64
import binascii
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Response
from pydantic import Field, model_validator

from direct311.media.decisions import MOST_BOXES, MOST_PAGES, Box, FileDecision, FileOutcome
from direct311.media.review.domain import (
    FileExemptions,
    FileFingerprints,
    FileKind,
    Finding,
    PageSize,
    Unrenderable,
)
from direct311.media.review.handlers import FileReviews, Order, Question, ReviewedFile
from direct311.redaction.leaks import KEY_BYTES
from direct311.runtime.access.identity import Authenticator
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import NUMBER, PROBLEMS, caller_of
from direct311.schemas import Instant, Model
from direct311.schemas.events import DisclosureKind
from direct311.schemas.model import Code, RecordId

RETENTION: Final = "svc:retention"
"""The service that builds packages."""
Case = Annotated[RecordId, Path(description="The number of the case")]
File = Annotated[RecordId, Path(description="The id of the file")]
PageNumber = Annotated[int, Path(ge=1, le=MOST_PAGES, description="The first page is 1")]
PURPOSE: Final[DisclosureKind] = "public_records"
BINARY: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
PRIVATE: Final = {"Cache-Control": "no-store"}


class CaseQuestion(Model, extra="forbid"):
    """The kind of the case, under whose grant the file is opened."""

    purpose: DisclosureKind = PURPOSE


Part = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), NUMBER]


class GivenBox(Model, extra="forbid"):
    """A part of a page, by its sides as parts of the page's width and height from its upper left
    corner, and the exemption that it is burnt out for. A picture is page 1."""

    page: Annotated[int, Field(ge=1, le=MOST_PAGES), NUMBER] = 1
    left: Part
    top: Part
    right: Part
    bottom: Part
    code: Code

    @model_validator(mode="after")
    def _has_an_inside(self) -> "GivenBox":
        if not (self.left < self.right and self.top < self.bottom):
            raise ValueError("left must be less than right, and top less than bottom")
        return self

    @property
    def box(self) -> Box:
        """As it is stored."""
        return Box(**dict(self))


class DecisionOrder(CaseQuestion, extra="forbid"):
    """`version`: of the decision as you have seen it, 0 if there was none. `codes`: of the
    exemptions that withhold the whole file. `boxes`: what is burnt out."""

    version: Annotated[int, Field(ge=0, le=1_000_000), NUMBER]
    outcome: FileOutcome
    codes: Annotated[tuple[Code, ...], Field(max_length=20)] = ()
    boxes: Annotated[tuple[GivenBox, ...], Field(max_length=MOST_BOXES)] = ()


class RenderingQuestion(CaseQuestion, extra="forbid"):
    """For whom the file is rendered: a class of recipient, as a code."""

    recipient: Code


class LeakQuestion(CaseQuestion, extra="forbid"):
    """`key`: 32 random bytes, made for one build of a package, in base64. The caller drops it with
    the answer. `decisions`: of the decision by which the file was rendered, as `…/rendering` names
    it. `whole`: nothing of the file went out. `released`: the file, or what is left of it, went out
    with an earlier part of the case."""

    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$", repr=False)]
    decisions: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    whole: bool = False
    released: bool = False


class DecisionView(Model):
    """A decision about a file. `codes`: of the exemptions that withhold the whole file."""

    version: int
    outcome: FileOutcome
    codes: tuple[str, ...]
    boxes: tuple[Box, ...]
    decided_by: str
    decided_at: Instant


class FileReview(Model):
    """A file as its reviewer needs it. `size` in bytes; `pages` in pixels, as `…/pages/{page}`
    shows them, empty if it goes out whole or not at all. `unrenderable`: why, for a file of a kind
    that has pages. `findings`: what goes out with the file as it came and shows on no page.
    `version`: of `decision`, 0 if there is none. `offered`: what was last decided for another case.
    `preset`: the exemption that withholds the file because its record is protected, unless somebody
    with one of the roles `lifted_by` decides otherwise."""

    record_id: str
    media_id: str
    kind: FileKind
    content_type: str | None
    size: int
    pages: tuple[PageSize, ...]
    unrenderable: Unrenderable | None = None
    findings: tuple[Finding, ...]
    version: int
    decision: DecisionView | None = None
    offered: DecisionView | None = None
    preset: str | None = None
    lifted_by: tuple[str, ...] = ()


def review_router(authenticator: Authenticator, reviews: FileReviews) -> APIRouter:
    """What reviewers call. A grant of the case must name them, the record and the file."""
    router = APIRouter(prefix="/v1/cases", tags=["review"], responses=PROBLEMS)
    caller_from = Depends(caller_of(authenticator))

    @router.post("/{case_id}/files/{media_id}/review", response_model_exclude_none=True)
    async def review(
        case_id: Case,
        media_id: File,
        question: CaseQuestion,
        caller: Annotated[Caller, caller_from],
        answer: Response,
    ) -> FileReview:
        """What the file is, how many pages it has, and what was decided. A picture or PDF is opened
        for this, so it is an access."""
        answer.headers["Cache-Control"] = "no-store"
        asked = Question(caller, question.purpose, case_id, media_id)
        return _review(await reviews.review(asked))

    @router.post(
        "/{case_id}/files/{media_id}/pages/{page}",
        response_class=Response,
        responses={200: {"content": {"image/jpeg": BINARY, "image/png": BINARY}}},
    )
    async def page(
        case_id: Case,
        media_id: File,
        page: PageNumber,
        question: CaseQuestion,
        caller: Annotated[Caller, caller_from],
    ) -> Response:
        """A page as a picture, exactly as it would go out without boxes. This is an access."""
        asked = Question(caller, question.purpose, case_id, media_id)
        made = await reviews.page(asked, page)
        return Response(made.data, media_type=made.content_type, headers=PRIVATE)

    @router.put("/{case_id}/files/{media_id}/decisions", response_model_exclude_none=True)
    async def decide(
        case_id: Case,
        media_id: File,
        order: DecisionOrder,
        caller: Annotated[Caller, caller_from],
    ) -> DecisionView:
        """Release the file, withhold it, or burn boxes into it. This replaces what was decided
        before for this case. Sending the same again changes nothing."""
        asked = Question(caller, order.purpose, case_id, media_id)
        boxes = tuple(each.box for each in order.boxes)
        decided = Order(order.version, order.outcome, order.codes, boxes)
        return _decision(await reviews.decide(asked, decided))

    return router


def rendering_router(authenticator: Authenticator, reviews: FileReviews) -> APIRouter:
    """What retention calls on behalf of a worker of the case."""
    router = APIRouter(prefix="/internal/cases", tags=["review"], responses=PROBLEMS)
    caller_from = Depends(caller_of(authenticator))

    @router.post(
        "/{case_id}/files/{media_id}/rendering",
        response_model=FileExemptions,
        response_model_exclude_none=True,
        responses={
            200: {
                "description": "The file, or (as JSON) that it is withheld whole",
                "content": {"application/octet-stream": BINARY},
                "headers": {
                    name: {"description": words, "schema": {"type": "string"}}
                    for name, words in HEADERS.items()
                },
            }
        },
    )
    async def rendering(
        case_id: Case,
        media_id: File,
        question: RenderingQuestion,
        caller: Annotated[Caller, caller_from],
    ) -> Any:
        """What goes out of the file: its bytes, or as JSON the exemptions for which it is withheld
        whole. The same decision gives the same bytes, as long as the libraries are the same. The
        rows of the exemption log for a redacted file are at `…/exemptions`."""
        _require_retention(caller)
        asked = Question(caller, question.purpose, case_id, media_id)
        found = await reviews.render(asked, question.recipient)
        if isinstance(found, FileExemptions):
            return found
        told = (
            found.sha256,
            found.kind,
            ",".join(found.warnings),
            found.decisions,
            str(found.version),
        )
        return Response(
            found.data,
            media_type=found.content_type,
            headers={**PRIVATE, **dict(zip(HEADERS, told, strict=True))},
        )

    @router.post("/{case_id}/files/{media_id}/exemptions", response_model_exclude_none=True)
    async def exemptions(
        case_id: Case,
        media_id: File,
        question: CaseQuestion,
        caller: Annotated[Caller, caller_from],
    ) -> FileExemptions:
        """The rows of the exemption log for the file. Opens nothing."""
        _require_retention(caller)
        return await reviews.exemptions(Question(caller, question.purpose, case_id, media_id))

    @router.post("/{case_id}/files/{media_id}/leaks")
    async def leaks(
        case_id: Case,
        media_id: File,
        question: LeakQuestion,
        caller: Annotated[Caller, caller_from],
    ) -> FileFingerprints:
        """Keyed fingerprints of what is withheld of the file, to look for in a finished package.
        Opening the file is an access of the person, written to the log first."""
        _require_retention(caller)
        return await reviews.fingerprints(
            Question(caller, question.purpose, case_id, media_id),
            _key(question.key),
            question.decisions,
            whole=question.whole,
            released=question.released,
        )

    return router


HEADERS: Final = {
    "Direct311-Sha256": "Of the bytes, in hex",
    "Direct311-Kind": "`original`, as it came, or `redacted`",
    "Direct311-Warnings": "What goes out with it and shows on no page, separated by commas",
    "Direct311-Decisions": "SHA-256 (hex) of the decision, as in `…/exemptions`",
    "Direct311-Version": "Of the decision",
}
"""Of an answer with a file's bytes."""


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise RefusedError("malformed", f"key must be {KEY_BYTES} bytes in base64.", field="key")
    return key


def _require_retention(caller: Caller) -> None:
    if caller.via != RETENTION:
        raise RefusedError("caller", "Only retention asks for this, on behalf of a worker.")


def _review(found: ReviewedFile) -> FileReview:
    return FileReview(
        record_id=found.record_id,
        media_id=found.file.media_id,
        kind=found.kind,
        content_type=found.file.content_type,
        size=found.file.size,
        pages=found.look.pages,
        unrenderable=found.look.unrenderable,
        findings=found.look.findings,
        version=found.version,
        decision=found.decision and _decision(found.decision),
        offered=found.offered and _decision(found.offered),
        preset=found.preset.code if found.preset else None,
        lifted_by=found.preset.lifted_by if found.preset else (),
    )


def _decision(decision: FileDecision) -> DecisionView:
    return DecisionView(
        version=decision.version,
        outcome=decision.outcome,
        codes=decision.codes,
        boxes=decision.boxes,
        decided_by=decision.decided_by,
        decided_at=decision.decided_at,
    )
