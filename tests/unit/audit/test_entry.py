"""What the log knows in clear, and what may be asked of it."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.audit.entry import Filter
from direct311.audit.log.api.consumers import LOGGED, TOPICS
from direct311.audit.log.domain import PERMANENT, UnknownEventError, facts_of, key_names
from direct311.audit.questions.domain.cursors import (
    CursorError,
    cursor_of,
    fingerprint,
    index_of,
    windows,
)
from direct311.schemas import ALL, Event
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
    data = ev.RecordExpired(
        record_id=RECORD,
        version=1,
        items=("270",),
        decided_by="rule",
        trigger="closed",
        trigger_on=START.date(),
        eligible_on=START.date(),
        schedule_version="1",
    )
    with pytest.raises(UnknownEventError):
        facts_of(Event(RECORD, "/direct311/retention", RECORD, START, data))


APPROVAL = ev.Approval(approver="olga", approved_at=START, id_token="x.y.z", key={"kty": "OKP"})
CASE: dict[str, Any] = {"case_id": "case-1", "version": 3, "kind": "law_enforcement"}
UNTIL = START + timedelta(days=30)
CASE_EVENTS = {
    "case": ev.DisclosureRecorded(
        **CASE, step="verified", state="verified", actor="olga", occurred_at=START
    ),
    "grant": ev.DisclosureApproved(
        **CASE,
        grant=ev.DisclosureGrant(
            grant_id="g-1",
            case_id="case-1",
            kind="law_enforcement",
            record_ids=(RECORD,),
            workers=("lia",),
            prepared_by="lia",
            prepared_at=START,
            valid_until=UNTIL,
        ),
        approvals=(APPROVAL,),
    ),
    "revoke": ev.DisclosureRevoked(
        **CASE, grant_id="g-1", revoked_by="olga", reason="objection", revoked_at=START
    ),
    "release": ev.DisclosureReleased(
        **CASE,
        package="0" * 64,
        recipient="agency",
        released_by="olga",
        approvals=(APPROVAL,),
        released_at=START,
    ),
}


@pytest.mark.parametrize(("action", "data"), CASE_EVENTS.items(), ids=CASE_EVENTS)
@pytest.mark.parametrize("exempt", [True, False], ids=["exempt", "open"])
def test_what_is_said_about_a_case_is_an_entry_kept_with_the_case_file(
    action: str, data: ev.DisclosureEvent, exempt: bool
) -> None:
    exemption = ev.CaseExemption(exempt=exempt, until=UNTIL if exempt else None)
    told = data.model_copy(update={"exemption": exemption})
    facts = facts_of(Event(OTHER, "/direct311/retention", "case-1", START, told))
    assert (facts.action, facts.actor, facts.service) == (action, "olga", "retention")
    assert (facts.case_id, facts.purpose) == ("case-1", "law_enforcement")
    assert key_names(facts) == ("case:case-1",)
    assert facts.record_ids == ()
    assert not facts.opens
    assert facts.exempt_until == (UNTIL if exempt else None)


def test_every_signed_event_of_the_catalogue_is_logged() -> None:
    assert {kind.topic for kind in ALL if kind.signed} < {*TOPICS}
    assert {kind.name for kind in ALL if kind.signed} == LOGGED


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
