"""A record as it may go out, made of the decisions of a case."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from direct311.intake.request import ServiceRequest
from direct311.intake.review.domain.places import FieldTexts
from direct311.intake.review.domain.rendering import (
    WithheldRow,
    hash_of,
    rendered,
    rows_of,
    without_marks,
)
from direct311.intake.review.domain.reviews import CaseReview, RecordReviews, Rendered
from direct311.intake.review.domain.withheld import parts_of, sealed_form, sealed_name
from direct311.intake.review.handlers.door import Door, Granted
from direct311.intake.review.handlers.minimise import LAW_ENFORCEMENT, closed_rows
from direct311.intake.review.handlers.proposals import Propose
from direct311.intake.review.handlers.reviewed import reviewed
from direct311.intake.review.handlers.writes import written
from direct311.intake.review.ports import PublicViews, Reviews, StoredRequests
from direct311.runtime.access.exemptions import Exemption
from direct311.runtime.access.rules import Caller
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError
from direct311.runtime.vault.vault import DataKey
from direct311.schemas import events as ev

OPERATION = "POST /internal/cases/{case_id}/records/{record_id}/rendering"


FileState = Literal["kept", "rejected", "arriving"]
"""`kept`: media has it; `rejected`: media did not take it; `arriving`: media has not said yet."""


@dataclass(frozen=True, slots=True)
class FileOfRecord:
    """A file that came with a request. `reason`: why media did not take it, as a code."""

    media_id: str
    state: FileState
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Rendering:
    """What may go out. `decisions`: SHA-256 (hex) of the decisions that rendered. `fields`: each
    field with marks; `withheld`: the rows of the exemption log, each with its exemption. `files`:
    those of the record, which media renders."""

    record_id: str
    version: int
    decisions: str
    public: Mapping[str, Any]
    fields: Mapping[str, str]
    withheld: Sequence[tuple[WithheldRow, Exemption]]
    files: Sequence[FileOfRecord] = ()


class RenderRecord:
    """The use case behind the call."""

    def __init__(
        self,
        door: Door,
        propose: Propose,
        store: Reviews,
        requests: StoredRequests,
        public: PublicViews,
        clock: Clock,
    ) -> None:
        self._door = door
        self._propose = propose
        self._store = store
        self._requests = requests
        self._public = public
        self._clock = clock

    async def __call__(
        self, caller: Caller, case_id: str, record_id: str, recipient: str
    ) -> Rendering:
        """The record's fields with a mark in place of each part that is withheld. The same
        decisions give the same answer.

        The access says how many parts are withheld and the recipient's class. Where the registry
        or the exemptions changed since the review, the texts are looked through again first; what
        is proposed then has to be decided.

        :raises RefusedError: there is no such request, a rule refuses, the record changed after
            its review, an item is undecided, or the log cannot be written.
        """
        granted = await self._door.granted(caller, case_id, record_id)
        if not await self._door.allows(granted, "disclose", OPERATION):
            # It refuses, and writes the refusal down.
            await self._door.authorise(granted, "disclose", OPERATION)
        reviews = await self._store.of(record_id)
        review = self._reviewed(reviews, granted)
        if not self._is_current(review):
            review = await self._looked_through_again(granted)
        closed = self._closed(granted, review)
        rows = sorted(
            (*rows_of(review.decisions, granted.fields, self._order), *closed),
            key=lambda row: row.item.order,
        )
        exemptions = [self._exemption(row, granted.kind) for row in rows]
        decisions = [each for each in review.decisions if each.of.field in granted.fields]
        decided = hash_of(decisions, review.version, granted.fields)
        async with self._door.opening(
            granted,
            "disclose",
            OPERATION,
            redactions=tuple(each.citation for each in exemptions),
            recipient=recipient,
        ) as (key, fields):
            kept = _sealed(key, granted.case_id, decided, fields, rows)
        marks = {each.code: each.mark for each in exemptions}
        answer = Rendering(
            record_id=record_id,
            version=review.version,
            decisions=decided,
            public=_plain(await self._public.of(record_id)),
            fields={each.field: rendered(each, rows, marks.__getitem__) for each in fields}
            | {row.item.field: marks[row.code] for row in closed},
            withheld=list(zip(rows, exemptions, strict=True)),
            files=files_of(granted.request),
        )
        shown = self._door.shown(record_id, fields)
        texts = {place: each.content for place, each in shown.items()}
        await self._remember(granted, recipient, answer, texts, kept)
        return answer

    def _closed(self, granted: Granted, review: CaseReview) -> Sequence[WithheldRow]:
        """What law enforcement does not get because its grant does not open it. The public asks for
        what it asks for, so there a field that nobody asked for has no row."""
        if granted.kind != LAW_ENFORCEMENT:
            return ()
        exemption = self._propose.exemptions.for_trigger(
            "outside_instrument", self._propose.today, LAW_ENFORCEMENT
        )
        return closed_rows(granted, review, exemption)

    def _reviewed(self, reviews: RecordReviews, granted: Granted) -> CaseReview:
        content = self._door.content_of(granted.request)
        return reviewed(reviews, granted.case_id, granted.fields, content)

    def _is_current(self, review: CaseReview) -> bool:
        return (review.registry_version, review.exemptions) == (
            self._propose.registry_version,
            self._propose.exemptions.hash,
        )

    async def _looked_through_again(self, granted: Granted) -> CaseReview:
        registry = self._propose.registry_version
        fields = await self._door.opened(granted, "view", OPERATION)
        proposals = await self._propose(granted.request, fields, granted.kind)
        exemptions = self._propose.exemptions.hash

        def change(reviews: RecordReviews) -> RecordReviews:
            review = self._reviewed(reviews, granted)
            again = review.proposed_again(granted.fields, proposals, registry, exemptions)
            return reviews.with_case(again)

        record_id = granted.request.record_id
        return self._reviewed(
            await written(self._store, self._requests, record_id, change), granted
        )

    def _exemption(self, row: WithheldRow, kind: str) -> Exemption:
        """The exemption of a row, in force today.

        :raises RefusedError: it has ended since, so the item has to be decided again.
        """
        found = self._propose.exemptions.in_force(
            row.code, self._propose.today, row.item.field, kind
        )
        if found is None:
            raise RefusedError(
                "not_reviewed",
                "Something is withheld under an exemption that is not in force any more.",
            )
        return found

    def _order(self, code: str) -> int:
        """Confidential before exempt, then as in the file."""
        entries = self._propose.exemptions.entries
        found = next((at for at, each in enumerate(entries) if each.code == code), len(entries))
        exemption = self._propose.exemptions.find(code)
        is_confidential = exemption is not None and exemption.class_ != "exempt"
        return found if is_confidential else found + len(entries) + 1

    async def _remember(
        self,
        granted: Granted,
        recipient: str,
        answer: Rendering,
        texts: Mapping[str, str],
        kept: str,
    ) -> None:
        withheld = tuple(str(row.item) for row, _ in answer.withheld)

        def change(reviews: RecordReviews) -> RecordReviews:
            review = reviews.cases.get(granted.case_id)
            if review is None or any(
                (each.decisions, each.recipient, each.texts) == (answer.decisions, recipient, texts)
                for each in review.renderings
            ):
                return reviews
            went_out = Rendered(
                decisions=answer.decisions,
                recipient=recipient,
                at=self._clock.now(),
                texts=texts,
                withheld=withheld,
                kept=kept,
            )
            return reviews.with_case(review.went_out(went_out))

        await written(self._store, self._requests, answer.record_id, change)


def _sealed(
    key: DataKey,
    case_id: str,
    decisions: str,
    fields: Sequence[FieldTexts],
    rows: Sequence[WithheldRow],
) -> str:
    """What is withheld, under the record's key, so that a later part of the case can be searched
    for it whatever becomes of the record's texts; in base64."""
    parts = parts_of(fields, [row.item for row in rows])
    if not parts:
        return ""
    return base64.b64encode(key.seal(sealed_name(case_id, decisions), sealed_form(parts))).decode()


def files_of(request: ServiceRequest) -> Sequence[FileOfRecord]:
    """The files of a request, in the order in which they came, and what media says of each."""
    told = {each.media_id: each for each in request.media}
    return [_file(each.upload_id, told.get(each.upload_id)) for each in request.uploads]


def _file(media_id: str, told: ev.MediaItem | None) -> FileOfRecord:
    if told is None:
        return FileOfRecord(media_id, "arriving")
    if told.state == "rejected":
        return FileOfRecord(media_id, "rejected", told.reason)
    return FileOfRecord(media_id, "kept")


def _plain(value: Any) -> Any:
    """The public view, so that nothing that somebody wrote looks like a mark."""
    if isinstance(value, str):
        return without_marks(value)
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
