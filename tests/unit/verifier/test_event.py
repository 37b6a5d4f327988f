"""Events as their producers signed them: who may say what, with which key, at what time."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from direct311.schemas import Event as TypedEvent
from direct311.schemas import claims, encode, signed_bytes
from direct311.schemas.events import DisclosureKind, RequestOverdue
from direct311.schemas.topics import BY_CE_TYPE
from direct311.verifier.event import (
    BY_GRANT,
    DISCLOSING,
    DONE_BY,
    HELD_BY,
    SEALING,
    SERVICES,
    SOLE_PRODUCERS,
    ClockError,
    Event,
    EventKeyError,
    EventSignatureError,
    MalformedEventError,
    ProducerError,
    decode_json,
    parse_event_keys,
    verify_event,
)
from tests.support.audit_log import KEYS, access, event_key, signed

EVENT = access(3)
LOGGED_AT = datetime(2026, 3, 2, 14, 0, 4, tzinfo=UTC)
CERTIFIED = "gov.miamidade.direct311.disposition.certified.v1"


def test_a_signed_event_verifies() -> None:
    assert verify_event(EVENT, LOGGED_AT, KEYS).service == "intake"


def test_what_is_signed_here_is_what_services_sign() -> None:
    typed = TypedEvent(
        id=EVENT.id,
        source=EVENT.source,
        subject="batch",
        time=datetime(2026, 3, 2, 14, tzinfo=UTC),
        data=RequestOverdue(
            record_id="a",
            version=1,
            department="parks",
            due_on=LOGGED_AT.date(),
            noticed_at=LOGGED_AT,
        ),
    )
    message = encode(typed)
    event = Event(
        id=message.headers["ce_id"],
        type=message.headers["ce_type"],
        source=message.headers["ce_source"],
        subject=message.headers["ce_subject"],
        time=message.headers["ce_time"],
        body=message.body,
        keyid="intake-2026-1",
        signature=bytes(64),
    )
    assert event.signed_bytes == signed_bytes(message.headers, message.body)


def test_kinds_that_one_service_alone_may_sign_are_those_of_the_catalogue() -> None:
    logged = {kind.name: kind.producers for kind in BY_CE_TYPE.values() if kind.signed}
    sole = {name: next(iter(who)) for name, who in logged.items() if len(who) == 1}
    assert sole == SOLE_PRODUCERS


def test_who_may_say_what_is_as_the_services_have_it() -> None:
    assert (claims.SERVICES, claims.SEALING) == (SERVICES, SEALING)
    assert (claims.BY_GRANT, get_args(DisclosureKind)) == (BY_GRANT, DISCLOSING)
    assert (dict(claims.HELD_BY), dict(claims.DONE_BY)) == (HELD_BY, DONE_BY)


ACTED = "gov.miamidade.direct311.act.recorded.v1"


def acted(service: str = "retention", **changes: object) -> Event:
    body = {
        "act": "hold",
        "record_ids": [],
        "agent": {"id": "cora", "authentication": "oidc"},
        "why": {"purpose": "retention"},
        **changes,
    }
    event = replace(
        EVENT, type=ACTED, source=f"/direct311/{service}", body=json.dumps(body).encode()
    )
    return signed(event, service)


def test_retention_says_who_decided_about_records() -> None:
    assert verify_event(acted(), LOGGED_AT, KEYS).service == "retention"


@pytest.mark.parametrize(
    "event",
    [
        acted("intake"),
        acted(why={"purpose": "law_enforcement"}),
        acted(why={}),
        acted(agent={"id": "unknown", "authentication": "none"}),
        acted(agent={"id": "cora", "authentication": "oidc", "break_glass": True}),
    ],
    ids=["another-service", "another-purpose", "no-purpose", "nobody", "broken-glass"],
)
def test_an_act_that_cannot_be_retentions_is_refused(event: Event) -> None:
    with pytest.raises(ProducerError):
        verify_event(event, LOGGED_AT, KEYS)


@pytest.mark.parametrize("field", ["id", "subject", "time"])
def test_a_changed_attribute_breaks_the_signature(field: str) -> None:
    changed = replace(EVENT, **{field: getattr(EVENT, field).replace("0", "1")})
    with pytest.raises(EventSignatureError):
        verify_event(changed, LOGGED_AT, KEYS)


def test_a_changed_body_breaks_the_signature() -> None:
    with pytest.raises(EventSignatureError):
        verify_event(replace(EVENT, body=EVENT.body + b" "), LOGGED_AT, KEYS)


def test_an_attribute_cannot_pass_for_two() -> None:
    with pytest.raises(MalformedEventError):
        replace(EVENT, subject="a\nb")
    with pytest.raises(MalformedEventError):
        replace(EVENT, signature=bytes(63))


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(EventKeyError, match="names an unknown key"):
        verify_event(replace(EVENT, keyid="intake-2025-1"), LOGGED_AT, KEYS)


def test_a_service_cannot_speak_for_another() -> None:
    forged = signed(EVENT, "retention")
    with pytest.raises(ProducerError, match="names another service"):
        verify_event(forged, LOGGED_AT, KEYS)


def test_a_service_cannot_sign_what_is_another_ones_alone() -> None:
    with pytest.raises(ProducerError, match="intake may not sign"):
        verify_event(signed(replace(EVENT, type=CERTIFIED)), LOGGED_AT, KEYS)
    rightful = replace(EVENT, type=CERTIFIED, source="/direct311/retention")
    assert verify_event(signed(rightful, "retention"), LOGGED_AT, KEYS).service == "retention"
    with pytest.raises(ProducerError, match="type"):
        verify_event(signed(replace(EVENT, type="com.example.thing.v1")), LOGGED_AT, KEYS)


def test_a_key_is_good_for_its_time_only() -> None:
    for time in ("2025-12-31T23:59:59Z", "2027-01-01T00:00:01Z"):
        event = signed(replace(EVENT, time=time))
        with pytest.raises(EventKeyError, match="not valid at the time"):
            verify_event(event, datetime.fromisoformat(time), KEYS)


def test_an_old_date_does_not_help_a_key_that_has_run_out() -> None:
    last = replace(KEYS[0], not_after=datetime(2026, 3, 2, 15, tzinfo=UTC))
    assert verify_event(EVENT, last.not_after + timedelta(days=14), [last]) == last
    with pytest.raises(EventKeyError, match="too long after"):
        verify_event(EVENT, last.not_after + timedelta(days=14, seconds=1), [last])


def test_an_event_cannot_be_logged_before_it_happened() -> None:
    occurred_at = EVENT.occurred_at
    assert verify_event(EVENT, occurred_at - timedelta(minutes=5), KEYS) == KEYS[0]
    with pytest.raises(ClockError):
        verify_event(EVENT, occurred_at - timedelta(minutes=5, seconds=1), KEYS)
    for time in ("yesterday", "2026-03-02T14:00:00", ""):
        with pytest.raises(MalformedEventError):
            verify_event(signed(replace(EVENT, time=time)), LOGGED_AT, KEYS)


def test_lists_of_keys_are_read_and_checked() -> None:
    document = {"keys": [key.as_json() for key in KEYS]}
    assert parse_event_keys(document) == KEYS
    twice = {"keys": [key.as_json() for key in (*KEYS, event_key("intake"))]}
    short = {"keys": [event_key("geo").as_json() | {"public": "AAAA"}]}
    broken: list[object] = [None, [], {}, {"keys": 1}, {"keys": [{}]}, twice, short]
    for each in broken:
        with pytest.raises(MalformedEventError):
            parse_event_keys(each)


@pytest.mark.parametrize(
    "text", ["{", '{"a":1,"a":2}', "NaN", "[Infinity]", "[" * 100_000, '"\\ud', b"\xff"]
)
def test_json_with_more_than_one_meaning_is_refused(text: str | bytes) -> None:
    with pytest.raises(MalformedEventError):
        decode_json(text)
