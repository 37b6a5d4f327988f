"""A delayed notice has an end, and only another document extends it."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from direct311.schemas.secrecy import LONGEST_DELAY, NO_END, DelayedNotice

DATED = datetime(2026, 3, 2, 14, tzinfo=UTC)
ORDER, EXTENSION = "a" * 64, "b" * 64
MOMENT = timedelta(milliseconds=1)


def delayed(until: datetime, document: str = ORDER, dated_at: datetime = DATED) -> DelayedNotice:
    return DelayedNotice(document=document, dated_at=dated_at, until=until)


@pytest.mark.parametrize("delay", [MOMENT, timedelta(days=1), LONGEST_DELAY])
def test_a_document_delays_the_notice_by_up_to_90_days(delay: timedelta) -> None:
    assert delayed(DATED + delay).until == DATED + delay


@pytest.mark.parametrize("until", [DATED + LONGEST_DELAY + MOMENT, NO_END, DATED, DATED - MOMENT])
def test_no_document_delays_it_longer_or_not_at_all(until: datetime) -> None:
    with pytest.raises(ValidationError):
        delayed(until)


def test_an_extension_counts_from_its_own_document() -> None:
    first = delayed(DATED + LONGEST_DELAY)
    again = DATED + timedelta(days=80)
    second = delayed(again + LONGEST_DELAY, EXTENSION, again)
    assert first.extended(second).until == DATED + timedelta(days=170)


@pytest.mark.parametrize(
    ("document", "dated_at"), [(ORDER, DATED + timedelta(days=80)), (EXTENSION, DATED - MOMENT)]
)
def test_the_same_or_an_older_document_extends_nothing(document: str, dated_at: datetime) -> None:
    first = delayed(DATED + timedelta(days=80))
    with pytest.raises(ValueError, match="new document"):
        first.extended(delayed(dated_at + LONGEST_DELAY, document, dated_at))


@pytest.mark.parametrize("document", ["", "order-7", "A" * 64])
def test_a_document_is_named_by_its_hash(document: str) -> None:
    with pytest.raises(ValidationError):
        delayed(DATED + timedelta(days=1), document)
