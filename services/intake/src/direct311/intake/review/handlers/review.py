"""Showing a record's sealed texts to a reviewer, with proposals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from direct311.intake.request import ServiceRequest
from direct311.intake.review.domain.places import Item, item_of
from direct311.intake.review.domain.reviews import (
    CaseReview,
    ItemDecision,
    Proposed,
    RecordReviews,
)
from direct311.intake.review.handlers.door import Door
from direct311.intake.review.handlers.proposals import Propose
from direct311.intake.review.handlers.writes import written
from direct311.intake.review.ports import PublicViews, Reviews, StoredRequests
from direct311.runtime.access.exemptions import Exemption
from direct311.runtime.access.rules import Caller

OPERATION = "POST /v1/cases/{case_id}/records/{record_id}/review"
LEAST_PUBLIC = 3
"""The fewest characters of a value that is looked for in the public view. A shorter one would be
found by chance."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed item under its exemption. `public_elsewhere`: the public view has the same text;
    `went_out`: an earlier rendering of the record gave it out."""

    item: Item
    exemption: Exemption
    preset: bool
    public_elsewhere: bool
    went_out: bool


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that is withheld although others know it; as in `Proposal`."""

    item: Item
    public_elsewhere: bool
    went_out: bool


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a reviewer sees. `texts`: by place. `offered`: earlier decisions on the same texts.
    `warnings`: what is withheld, and is known elsewhere.
    `flags`: what is known about the record as a whole: `protected`, `emergency`."""

    review: CaseReview
    texts: Mapping[str, str]
    public: Mapping[str, Any]
    proposals: Sequence[Proposal]
    offered: Sequence[ItemDecision]
    warnings: Sequence[Warned]
    flags: Sequence[str]


class ReviewRecord:
    """The use case behind the call."""

    def __init__(
        self,
        door: Door,
        propose: Propose,
        store: Reviews,
        requests: StoredRequests,
        public: PublicViews,
    ) -> None:
        self._door = door
        self._propose = propose
        self._store = store
        self._requests = requests
        self._public = public

    async def __call__(self, caller: Caller, case_id: str, record_id: str) -> Reviewed:
        """Open what the grant names of the record, and say what may be withheld.

        The access is written down first. The review is stored without any text. A repeat shows the
        same, and changes nothing if neither record nor registry changed.

        :raises RefusedError: there is no such request, a rule refuses, geo does not answer, or the
            log cannot be written.
        """
        granted = await self._door.granted(caller, case_id, record_id)
        request = granted.request
        fields = await self._door.opened(granted, "view", OPERATION)
        registry = self._propose.registry_version
        proposals = await self._propose(request, fields, granted.kind)
        content = self._door.content_of(request)
        texts = self._door.shown(record_id, fields)
        exemptions = self._propose.exemptions

        def change(reviews: RecordReviews) -> RecordReviews:
            before = reviews.cases.get(case_id) or CaseReview(
                case_id=case_id,
                kind=granted.kind,
                version=request.version,
                content=content,
                registry_version=registry,
                exemptions=exemptions.hash,
                fields=granted.fields,
            )
            return reviews.with_case(
                before.shown(
                    version=request.version,
                    content=content,
                    registry_version=registry,
                    exemptions=exemptions.hash,
                    fields=granted.fields,
                    texts=texts,
                    proposals=proposals,
                )
            )

        reviews = await written(self._store, self._requests, record_id, change)
        review = reviews.cases[case_id]
        public = await self._public.of(record_id)
        plain = {each.place: each.text for one in fields for each in one.entries}
        shown = _Shown(reviews, review, plain, "\n".join(_texts_in(public)).casefold())
        return Reviewed(
            review=review,
            texts=plain,
            public=public,
            proposals=[
                shown.proposal(item, each, exemption)
                for each in review.proposals
                if (item := item_of(each.item)) and (exemption := exemptions.find(each.code))
            ],
            offered=reviews.offered(review),
            warnings=[
                warned
                for each in review.withheld()
                if (warned := shown.warned(each.of)).public_elsewhere or warned.went_out
            ],
            flags=_flags(request),
        )


@dataclass(frozen=True, slots=True)
class _Shown:
    reviews: RecordReviews
    review: CaseReview
    texts: Mapping[str, str]
    public: str

    def proposal(self, item: Item, proposed: Proposed, exemption: Exemption) -> Proposal:
        warned = self.warned(item)
        return Proposal(item, exemption, proposed.preset, warned.public_elsewhere, warned.went_out)

    def warned(self, item: Item) -> Warned:
        text = self.texts.get(item.place, "")[slice(item.start, item.end)].strip().casefold()
        return Warned(
            item,
            public_elsewhere=len(text) >= LEAST_PUBLIC and text in self.public,
            went_out=self.reviews.gave_out(self.review, item),
        )


def _texts_in(value: object) -> list[str]:
    if isinstance(value, Mapping):
        return [text for each in value.values() for text in _texts_in(each)]
    if isinstance(value, list | tuple):
        return [text for each in value for text in _texts_in(each)]
    return [] if value is None else [str(value)]


def _flags(request: ServiceRequest) -> Sequence[str]:
    flags = {"protected": request.protected, "emergency": request.emergency_assistance}
    return [name for name, found in flags.items() if found]
