"""Whether somebody has reviewed a record for a case, and decided all of it."""

from collections.abc import Sequence

from direct311.intake.review.domain.reviews import CaseReview, RecordReviews
from direct311.runtime.errors import RefusedError

CHANGED = RefusedError("changed", "The record changed since it was reviewed; review it again.")
NOT_REVIEWED = RefusedError(
    "not_reviewed", "Somebody must review the record for this case and decide every item."
)


def reviewed(
    reviews: RecordReviews, case_id: str, fields: Sequence[str], content: str
) -> CaseReview:
    """The case's review of these fields.

    :param content: the keyed hash of what the record has now.
    :raises RefusedError: it is not reviewed, an item is undecided, or the record changed since.
    """
    review = reviews.cases.get(case_id)
    if review is None or set(fields) - set(review.fields):
        raise NOT_REVIEWED
    if review.content != content:
        raise CHANGED
    if not review.is_decided(fields):
        raise NOT_REVIEWED
    return review
