"""A delayed notice has an end, and only another document extends it."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from direct311.schemas.events import CaseExemption
from direct311.schemas.secrecy import LONGEST_DELAY, NO_END, DelayedNotice, NoticeError

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


# ---------------------------------------------------------------- a case's exemption


def exempt(
    until: datetime | None, notice: DelayedNotice | None = None, *, is_so: bool = True
) -> CaseExemption:
    return CaseExemption(exempt=is_so, until=until, code="119.071(2)(c)", notice=notice)


LATE = DATED + timedelta(days=80)
FIRST = delayed(DATED + LONGEST_DELAY)
SECOND = delayed(LATE + LONGEST_DELAY, EXTENSION, LATE)


def test_an_exemption_that_rests_on_a_document_ends_with_the_delay() -> None:
    assert exempt(FIRST.until, FIRST).until == DATED + LONGEST_DELAY
    assert exempt(DATED + MOMENT, FIRST).notice == FIRST
    for until in (FIRST.until + MOMENT, NO_END):
        with pytest.raises(ValidationError):
            exempt(until, FIRST)


def test_a_case_that_is_active_is_exempt_without_a_document() -> None:
    assert exempt(NO_END).notice is None


def test_only_the_notice_of_an_exempt_case_is_delayed() -> None:
    with pytest.raises(ValidationError):
        exempt(None, FIRST, is_so=False)


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (exempt(NO_END), exempt(FIRST.until, FIRST)),
        (exempt(FIRST.until, FIRST), exempt(FIRST.until, FIRST)),
        (exempt(FIRST.until, FIRST), exempt(SECOND.until, SECOND)),
        (exempt(FIRST.until, FIRST), CaseExemption()),
        (CaseExemption(), exempt(NO_END)),
    ],
)
def test_a_case_may_begin_extend_and_end_a_delay(
    before: CaseExemption, said: CaseExemption
) -> None:
    said.check_after(before)
    assert said.after(before) == said


SHORT = delayed(LATE)
SAME_DOCUMENT = exempt(FIRST.until, FIRST)
OLDER_DOCUMENT = delayed(DATED - MOMENT + LONGEST_DELAY, EXTENSION, DATED - MOMENT)


@pytest.mark.parametrize(
    "said", [SAME_DOCUMENT, exempt(OLDER_DOCUMENT.until, OLDER_DOCUMENT), exempt(NO_END)]
)
def test_without_a_new_document_a_delay_keeps_its_end(said: CaseExemption) -> None:
    before = exempt(SHORT.until, SHORT)
    with pytest.raises(NoticeError):
        said.check_after(before)
    assert said.after(before) == before
