"""The JSON API of the review: for staff, and for retention on a worker's behalf."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import Field

from direct311.intake.api_types import CallerOf
from direct311.intake.review.domain.places import LONGEST_ITEM
from direct311.intake.review.domain.reviews import MOST_DECISIONS, CaseReview, ItemDecision
from direct311.intake.review.handlers.decide import Choice, DecideItems
from direct311.intake.review.handlers.proposals import Propose
from direct311.intake.review.handlers.render import FileState, Rendering, RenderRecord
from direct311.intake.review.handlers.review import Reviewed, ReviewRecord
from direct311.runtime.access.exemptions import ExemptionClass, Exemptions, Trigger
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.api import PROBLEMS
from direct311.schemas import Instant, Model, RecordId
from direct311.schemas.model import Code, Sha256

RETENTION = "svc:retention"
LARGEST_DECISIONS = 1024 * 1024
"""The most bytes in the body of decisions."""

ItemName = Annotated[str, Field(min_length=1, max_length=LONGEST_ITEM)]
ITEM = (
    "A place in the record, which means all of its text, or a place and a span: `phone`, "
    "`description:10-22`, `updates/<id>:4-16`. Positions count characters from 0; the end is not "
    "included."
)


class DecisionAnswer(Model):
    """A decision: withheld under `code`, or released if `code` is null. `version`: the version of
    the record that the person saw."""

    item: Annotated[str, Field(description=ITEM)]
    code: str | None
    citation: str | None
    decided_by: str
    decided_at: Instant
    version: int


class ProposalAnswer(Model):
    """An item that may be withheld, and by which exemption. `preset`: it counts as withheld until
    one of `lifted_by` releases it. `because`: what made the county propose it. `public_elsewhere`:
    the public view has the same text. `went_out`: an earlier rendering gave it out."""

    item: Annotated[str, Field(description=ITEM)]
    field: str
    code: str
    citation: str
    class_: Annotated[ExemptionClass, Field(serialization_alias="class")]
    because: Trigger
    preset: bool
    lifted_by: tuple[str, ...]
    public_elsewhere: bool
    went_out: bool


class WarningAnswer(Model):
    """Something that is withheld although others know it; as in a proposal."""

    item: Annotated[str, Field(description=ITEM)]
    public_elsewhere: bool
    went_out: bool


class ReviewAnswer(Model):
    """What the record has, and what may be withheld.

    `texts`: each text by its place; a field with several texts has one place for each. `public`:
    what the public view has. `decisions`: those of this case; `earlier`: decisions on the same
    texts from before. `warnings`: what is withheld, and is known elsewhere. `undecided`: items that
    somebody has to decide. `reviewed`: somebody has sent decisions, and none is missing.
    """

    case_id: str
    record_id: str
    version: int
    texts: Mapping[str, str]
    public: Mapping[str, Any]
    proposals: tuple[ProposalAnswer, ...]
    decisions: tuple[DecisionAnswer, ...]
    earlier: tuple[DecisionAnswer, ...]
    warnings: tuple[WarningAnswer, ...]
    undecided: tuple[str, ...]
    flags: tuple[Literal["protected", "emergency"], ...]
    reviewed: bool


class ItemChoice(Model, extra="forbid"):
    """Withhold an item under the code of an exemption, or release it."""

    item: Annotated[ItemName, Field(description=ITEM)]
    decision: Literal["withhold", "release"]
    code: Code | None = None


class DecisionsOrder(Model, extra="forbid"):
    """Decisions about a record. `version`: as the review answered it. Items that are not named keep
    their decisions; an empty list says that the record goes out as the decisions so far leave
    it."""

    version: Annotated[int, Field(ge=0)]
    decisions: Annotated[tuple[ItemChoice, ...], Field(max_length=MOST_DECISIONS)]


class DecisionsAnswer(Model):
    """All decisions of the case about the record."""

    case_id: str
    record_id: str
    version: int
    decisions: tuple[DecisionAnswer, ...]
    undecided: tuple[str, ...]
    reviewed: bool


class RenderingOrder(Model, extra="forbid"):
    """`recipient`: the class of whoever gets it, such as `requester`."""

    recipient: Code


class WithheldAnswer(Model):
    """One row of the exemption log."""

    item: str
    field: str
    code: str
    citation: str
    decided_by: str
    decided_at: Instant
    version: int


class FileAnswer(Model):
    """A file of the record, which media renders. `reason`: why media did not take it."""

    media_id: str
    state: FileState
    reason: str | None = None


class RenderingAnswer(Model):
    """What may go out of the record. `decisions`: SHA-256 of the decisions that rendered.
    `fields`: each field with a mark for each part that is withheld; `withheld`: a row for each
    mark. `files`: those that came with the record."""

    record_id: str
    version: int
    decisions: Sha256
    public: Mapping[str, Any]
    fields: Mapping[str, str]
    withheld: tuple[WithheldAnswer, ...]
    files: tuple[FileAnswer, ...] = ()


def review_router(
    review: ReviewRecord, decide: DecideItems, propose: Propose, caller_of: CallerOf
) -> APIRouter:
    """For staff whom the grant of a case names."""
    api = APIRouter(prefix="/v1/cases", responses=PROBLEMS)
    who = Depends(caller_of)
    exemptions = propose.exemptions
    conflict: dict[int | str, dict[str, Any]] = {404: PROBLEMS[404], 409: PROBLEMS[409]}

    @api.post("/{case_id}/records/{record_id}/review", responses={404: PROBLEMS[404]})
    async def review_record(
        caller: Annotated[Caller, who], case_id: RecordId, record_id: RecordId
    ) -> ReviewAnswer:
        """Open what the grant names of a record, with proposals what to withhold. The access is
        recorded before it happens."""
        return _reviewed(record_id, await review(caller, case_id, record_id), exemptions)

    @api.put(
        "/{case_id}/records/{record_id}/decisions",
        responses=conflict,
        max_body_size=LARGEST_DECISIONS,
    )
    async def decide_items(
        caller: Annotated[Caller, who],
        case_id: RecordId,
        record_id: RecordId,
        order: DecisionsOrder,
    ) -> DecisionsAnswer:
        """Decide items of a record. Repeating the call changes nothing."""
        choices = [_choice(each) for each in order.decisions]
        found = await decide(caller, case_id, record_id, order.version, choices)
        return DecisionsAnswer(
            case_id=case_id,
            record_id=record_id,
            version=found.version,
            decisions=tuple(_decision(each, exemptions) for each in found.decisions),
            undecided=found.undecided(),
            reviewed=found.is_decided(),
        )

    return api


def rendering_router(render: RenderRecord, caller_of: CallerOf) -> APIRouter:
    """Only for retention, on behalf of a worker."""
    api = APIRouter(prefix="/internal/cases", responses=PROBLEMS)
    who = Depends(caller_of)

    @api.post(
        "/{case_id}/records/{record_id}/rendering",
        responses={404: PROBLEMS[404], 409: PROBLEMS[409]},
    )
    async def render_record(
        caller: Annotated[Caller, who],
        case_id: RecordId,
        record_id: RecordId,
        order: RenderingOrder,
    ) -> RenderingAnswer:
        """A record as it may go out by the decisions of the case."""
        if caller.via != RETENTION:
            raise RefusedError("caller", "Only retention may ask, on behalf of a person.")
        found = await render(caller, case_id, record_id, order.recipient)
        return _rendering(found)

    return api


def _choice(each: ItemChoice) -> Choice:
    if each.decision == "release":
        if each.code is not None:
            raise RefusedError("exemption", "A release needs no code.", field="code")
        return Choice(each.item, None)
    if each.code is None:
        raise RefusedError(
            "exemption", "Say the code of the exemption that withholds it.", field="code"
        )
    return Choice(each.item, each.code)


def _reviewed(record_id: str, found: Reviewed, exemptions: Exemptions) -> ReviewAnswer:
    review: CaseReview = found.review
    return ReviewAnswer(
        case_id=review.case_id,
        record_id=record_id,
        version=review.version,
        texts=found.texts,
        public=found.public,
        proposals=tuple(
            ProposalAnswer(
                item=str(each.item),
                field=each.item.field,
                code=each.exemption.code,
                citation=each.exemption.citation,
                class_=each.exemption.class_,
                because=each.exemption.trigger,
                preset=each.preset,
                lifted_by=each.exemption.lifted_by,
                public_elsewhere=each.public_elsewhere,
                went_out=each.went_out,
            )
            for each in found.proposals
        ),
        decisions=tuple(_decision(each, exemptions) for each in review.decisions),
        earlier=tuple(_decision(each, exemptions) for each in found.offered),
        warnings=tuple(
            WarningAnswer(
                item=str(each.item),
                public_elsewhere=each.public_elsewhere,
                went_out=each.went_out,
            )
            for each in found.warnings
        ),
        undecided=review.undecided(),
        flags=tuple(found.flags),
        reviewed=review.is_decided(),
    )


def _decision(each: ItemDecision, exemptions: Exemptions) -> DecisionAnswer:
    exemption = exemptions.find(each.code) if each.code is not None else None
    return DecisionAnswer(
        item=each.item,
        code=each.code,
        citation=exemption.citation if exemption else None,
        decided_by=each.decided_by,
        decided_at=each.decided_at,
        version=each.version,
    )


def _rendering(found: Rendering) -> RenderingAnswer:
    return RenderingAnswer(
        record_id=found.record_id,
        version=found.version,
        decisions=found.decisions,
        public=found.public,
        fields=found.fields,
        withheld=tuple(
            WithheldAnswer(
                item=str(row.item),
                field=row.item.field,
                code=row.code,
                citation=exemption.citation,
                decided_by=row.decided_by,
                decided_at=row.decided_at,
                version=row.version,
            )
            for row, exemption in found.withheld
        ),
        files=tuple(
            FileAnswer(media_id=each.media_id, state=each.state, reason=each.reason)
            for each in found.files
        ),
    )
