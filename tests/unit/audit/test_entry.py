"""What the log knows in clear, and what may be asked of it."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.audit.entry import Filter
from direct311.audit.log.domain import PERMANENT, UnknownEventError, facts_of, key_names
from direct311.audit.questions.domain.cursors import (
    CursorError,
    cursor_of,
    fingerprint,
    index_of,
    windows,
)
from direct311.schemas import Event
from direct311.schemas import events as ev
from tests.unit.audit.events import OTHER, RECORD, START, Producer, received


def test_facts_of_an_access() -> None:
    message = Producer().access(RECORD, OTHER, actor="maria", department="parks", outcome="denied")
    facts = facts_of(received(message).event)
    assert facts.record_ids == (RECORD, OTHER)
    assert (facts.actor, facts.department, facts.outcome) == ("maria", "parks", "denied")
    assert (facts.service, facts.event, facts.purpose) == ("intake", "pii.accessed", "respond")
    assert facts.occurred_at == START
    assert not facts.opens


@pytest.mark.parametrize(
    ("message", "opens"),
    [
        (Producer().access(RECORD), True),
        (Producer().access(RECORD, outcome="error"), False),
        (Producer().access(RECORD, fields=()), False),
        (Producer().access(action="search", fields=("person_index",)), False),
    ],
)
def test_a_fetch_is_expected_where_one_was_authorised(message, opens) -> None:  # type: ignore[no-untyped-def]
    assert facts_of(received(message).event).opens is opens


def test_entries_of_disposition_are_permanent() -> None:
    for message in (Producer().destroyed(RECORD), Producer("retention").certified(RECORD, OTHER)):
        facts = facts_of(received(message).event)
        assert key_names(facts) == (PERMANENT,)
        assert RECORD in facts.record_ids


def test_other_events_have_no_place_in_the_log() -> None:
    data = ev.DisclosureReleased(
        case_id="c1", record_ids=(RECORD,), released_by="x", released_at=START
    )
    with pytest.raises(UnknownEventError):
        facts_of(Event(RECORD, "/direct311/audit", "c1", START, data))


def test_a_cursor_is_good_for_its_own_query_alone() -> None:
    mine, other = Filter(actor="maria"), Filter(actor="john")
    assert index_of(cursor_of(mine, 17), mine) == 17
    for cursor in (cursor_of(other, 17), "", "17", "x." + fingerprint(mine), "-1.", "²." * 3):
        with pytest.raises(CursorError):
            index_of(cursor, mine)


def test_a_query_names_its_fields_and_not_their_values() -> None:
    query = Filter(actor="maria", since=START)
    assert query.names == ("actor", "since")


@given(st.integers(0, 3_000_000), st.integers(0, 3_000_000))
def test_windows_cover_every_entry_once_newest_first(top: int, bottom: int) -> None:
    found = list(windows(top, bottom))
    assert len(found) <= 6
    at = top
    for low, high in found:
        assert high == at
        assert low < high
        at = low
    assert at == (bottom if bottom < top else top)


def test_time_bounds_are_included() -> None:
    facts = facts_of(received(Producer().access(RECORD)).event)
    second = timedelta(seconds=1)
    assert Filter(since=START, until=START).takes(facts, START)
    assert not Filter(since=START + second).takes(facts, START)
    assert not Filter(until=START - second).takes(facts, START)
