"""The codec: what goes onto the wire comes back; what does not fit is named without its value."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from direct311.schemas import (
    ALL,
    DecodeError,
    Event,
    EventType,
    Instant,
    OnDate,
    decode,
    derived_id,
    encode,
    events,
    read_headers,
)
from direct311.schemas.published import example, headers

CAUSE = "0195a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1c"


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.label)
@pytest.mark.parametrize("full", [True, False], ids=["full", "minimal"])
def test_every_event_survives_the_wire(kind: EventType, full: bool) -> None:
    data = example(kind, full=full)
    event = decode(headers(kind, data), json.dumps(data).encode())
    message = encode(event, topic=kind.topic.replace("{department}", "parks"))
    assert decode(message.headers, message.body) == event
    assert event.name == kind.name


def test_the_key_of_a_message_is_the_record() -> None:
    data = events.HoldReleased(
        record_id="r-1",
        version=2,
        hold_id="h-1",
        released_at=datetime(2026, 1, 2, tzinfo=UTC),
        still_held=False,
    )
    message = encode(Event(CAUSE, "/direct311/retention", "r-1", datetime.now(UTC), data))
    assert (message.topic, message.key) == ("disposition", b"r-1")


def _case_event(name: str, **changes: Any) -> tuple[dict[str, str], dict[str, Any]]:
    kind = next(each for each in ALL if each.name == name)
    data = example(kind, full=True)
    return headers(kind, data), data | changes


def test_the_key_of_a_disclosure_event_is_the_case() -> None:
    told, data = _case_event("disclosure.recorded")
    event = decode(told, json.dumps(data).encode())
    assert encode(event).key == data["case_id"].encode()
    with pytest.raises(DecodeError, match="ce_subject differs from case_id"):
        decode({**told, "ce_subject": "another"}, json.dumps(data).encode())


def test_a_grant_of_another_case_is_no_event() -> None:
    told, data = _case_event("disclosure.approved")
    data["grant"] = data["grant"] | {"case_id": "another"}
    with pytest.raises(DecodeError):
        decode(told, json.dumps(data).encode())


def test_a_grant_names_at_most_500_records() -> None:
    told, data = _case_event("disclosure.approved")
    for count, fits in ((500, True), (501, False)):
        data["grant"] = data["grant"] | {"record_ids": [f"r-{n}" for n in range(count)]}
        if fits:
            decode(told, json.dumps(data).encode())
        else:
            with pytest.raises(DecodeError, match=r"grant\.record_ids"):
                decode(told, json.dumps(data).encode())


def test_an_exemption_without_an_end_is_no_event() -> None:
    told, data = _case_event("disclosure.recorded", exemption={"exempt": True})
    with pytest.raises(DecodeError, match="exemption"):
        decode(told, json.dumps(data).encode())


@pytest.mark.parametrize("field", ["step", "state"])
@pytest.mark.parametrize("text", ["Maria Lopez", "", "x" * 65, "a\nb", "305 555 0100"])
def test_a_step_of_a_case_has_no_room_for_a_text(field: str, text: str) -> None:
    told, data = _case_event("disclosure.recorded", **{field: text})
    with pytest.raises(DecodeError) as refused:
        decode(told, json.dumps(data).encode())
    assert not text or text not in str(refused.value)


def test_a_department_event_needs_its_topic() -> None:
    data = events.UpdateRefused(
        record_id="r-1", update_id=CAUSE, department="parks", code="not_assigned", reason="no"
    )
    event = Event(CAUSE, "/direct311/routing", "r-1", datetime.now(UTC), data)
    with pytest.raises(ValueError, match=r"update\.refused"):
        encode(event)
    assert encode(event, topic="replies.parks").topic == "replies.parks"


def test_a_repeated_cause_gives_the_same_id() -> None:
    assert derived_id(CAUSE, "a", 0) == derived_id(CAUSE, "a", 0)
    assert derived_id(CAUSE, "a", 0) != derived_id(CAUSE, "a", 1)
    assert derived_id(CAUSE, "a", 0) != derived_id(CAUSE, "b", 0)


SECRET = "Zoraida Quintanilla 305-555-0142"


def _created(**changed: Any) -> tuple[dict[str, str], dict[str, Any]]:
    kind = next(kind for kind in ALL if kind.name == "request.created")
    data = example(kind, full=False) | changed
    return headers(kind, data), data


@pytest.mark.parametrize(
    ("attributes", "data", "named"),
    [
        ({"ce_specversion": "0.3"}, {}, "ce_specversion"),
        ({"ce_id": ""}, {}, "ce_id"),
        ({"ce_id": SECRET}, {}, "ce_id"),
        ({"ce_type": SECRET}, {}, "ce_type"),
        ({"ce_time": SECRET}, {}, "ce_time"),
        ({"ce_time": "2026-03-02T14:05:06"}, {}, "ce_time"),
        ({"ce_signature": SECRET}, {}, "ce_signature"),
        ({"ce_signature": "00"}, {}, "ce_signature"),
        ({"ce_subject": SECRET}, {}, "ce_subject"),
        ({}, {"version": SECRET}, "version"),
        ({}, {"place": {"latitude": SECRET}}, "place.latitude"),
        ({}, {"record_id": SECRET}, "record_id"),
    ],
)
def test_what_does_not_fit_is_named_and_not_quoted(
    attributes: dict[str, str], data: dict[str, Any], named: str
) -> None:
    found, body = _created(**data)
    with pytest.raises(DecodeError, match=named) as caught:
        decode(found | attributes, json.dumps(body).encode())
    assert "Zoraida" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_body_that_is_no_json_is_refused() -> None:
    found, _ = _created()
    with pytest.raises(DecodeError, match=r"request\.created"):
        decode(found, b"\xff\x00" + SECRET.encode())


def test_headers_that_are_no_text_are_dropped_and_the_first_counts() -> None:
    assert read_headers([("a", b"1"), ("a", b"2"), ("b", b"\xff")]) == {"a": "1"}


@pytest.mark.parametrize("number", [0, 0.5, True, "0", "0.5", "1764082800", "-1"])
@pytest.mark.parametrize("kind", [Instant, OnDate])
def test_a_number_is_no_time(kind: Any, number: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(number)
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_json(json.dumps(number))
