"""What people decide about the items of a record."""

from collections.abc import Sequence
from dataclasses import dataclass

from direct311.intake.review.domain.places import Item, item_of
from direct311.intake.review.domain.reviews import (
    MOST_DECISIONS,
    CaseReview,
    ItemDecision,
    RecordReviews,
)
from direct311.intake.review.handlers.door import Door, Granted
from direct311.intake.review.handlers.proposals import Propose
from direct311.intake.review.handlers.reviewed import CHANGED
from direct311.intake.review.handlers.writes import written
from direct311.intake.review.ports import Reviews, StoredRequests
from direct311.runtime.access.rules import Caller
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError

OPERATION = "PUT /v1/cases/{case_id}/records/{record_id}/decisions"


@dataclass(frozen=True, slots=True)
class Choice:
    """Withhold an item under `code`, or release it (`None`)."""

    item: str
    code: str | None


class DecideItems:
    """The use case behind the call."""

    def __init__(
        self,
        door: Door,
        propose: Propose,
        store: Reviews,
        requests: StoredRequests,
        clock: Clock,
    ) -> None:
        self._door = door
        self._propose = propose
        self._store = store
        self._requests = requests
        self._clock = clock

    async def __call__(
        self,
        caller: Caller,
        case_id: str,
        record_id: str,
        version: int,
        choices: Sequence[Choice],
    ) -> CaseReview:
        """Store the choices, with who made them and when. Items that are not named keep their
        decisions. A choice that was stored before stays as it is, so a repeat changes nothing.

        Nothing is opened. The choices are an access all the same, written down first.

        :raises RefusedError: a rule refuses; nobody has looked at the record for the case yet; it
            changed since this version; there is no such item; the code is unknown, not in force
            today or not for this field; somebody else must lift what is preset; or there would be
            too many.
        """
        granted = await self._door.granted(caller, case_id, record_id)
        if await self._door.allows(granted, "redact", OPERATION):
            # Somebody whom the rules refuse learns nothing of this.
            before = await self._store.of(record_id)
            self._decided(before, granted, version, choices)
        known = self._codes
        codes = tuple(each.code for each in choices if each.code is not None and each.code in known)
        await self._door.authorise(granted, "redact", OPERATION, redactions=codes)

        def change(reviews: RecordReviews) -> RecordReviews:
            return reviews.with_case(self._decided(reviews, granted, version, choices))

        reviews = await written(self._store, self._requests, record_id, change)
        return reviews.cases[case_id]

    @property
    def _codes(self) -> frozenset[str]:
        """The codes that may be written down. A caller could make up anything."""
        return frozenset(each.code for each in self._propose.exemptions.entries)

    def _decided(
        self,
        reviews: RecordReviews,
        granted: Granted,
        version: int,
        choices: Sequence[Choice],
    ) -> CaseReview:
        review = reviews.cases.get(granted.case_id)
        if review is None:
            raise RefusedError("not_reviewed", "Look at the record for this case first.")
        unchanged = review.content == self._door.content_of(granted.request)
        if review.version != version or not unchanged or set(granted.fields) - set(review.fields):
            raise CHANGED
        items = [self._item(review, granted, each) for each in choices]
        if len(set(items)) < len(items):
            raise RefusedError("item", "An item is named twice.", field="decisions")
        now = self._clock.now()
        made = []
        for item, choice in zip(items, choices, strict=True):
            known = review.decision_on(choice.item)
            if known is not None and known.code == choice.code:
                continue
            if choice.code is None:
                self._check_release(review, granted.caller, choice.item)
            elif (
                self._propose.exemptions.in_force(
                    choice.code, self._propose.today, item.field, granted.kind
                )
                is None
            ):
                raise RefusedError(
                    "exemption",
                    "There is no exemption with this code in force today for this field.",
                    field="code",
                )
            made.append(
                ItemDecision(
                    item=choice.item,
                    code=choice.code,
                    decided_by=granted.caller.sub,
                    decided_at=now,
                    version=review.version,
                    content=review.content_of(item),
                )
            )
        after = review.decided(made)
        if len(after.decisions) > MOST_DECISIONS:
            raise RefusedError(
                "too_many", f"A record has at most {MOST_DECISIONS} decisions.", field="decisions"
            )
        return after

    def _item(self, review: CaseReview, granted: Granted, choice: Choice) -> Item:
        item = item_of(choice.item)
        if item is None or item.field not in granted.fields or not review.knows(item):
            raise RefusedError("item", "The record, as shown, has no such item.", field="item")
        return item

    def _check_release(self, review: CaseReview, caller: Caller, item: str) -> None:
        for each in review.proposals:
            if each.item != item or not each.preset:
                continue
            exemption = self._propose.exemptions.find(each.code)
            if exemption is not None and not set(exemption.lifted_by) & set(caller.roles):
                raise RefusedError(
                    "lifted_by",
                    f"Only {' or '.join(exemption.lifted_by)} may release what section "
                    f"{exemption.citation} withholds.",
                )
