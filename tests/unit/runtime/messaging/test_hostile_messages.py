"""Whatever lies on a topic is an event, or is refused by name; nothing else can happen."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from direct311.schemas import ALL, DecodeError, Event, decode, encode, read_headers
from direct311.schemas import events as ev

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
NAMES = (
    "ce_specversion",
    "ce_id",
    "ce_type",
    "ce_source",
    "ce_subject",
    "ce_time",
    "ce_keyid",
    "ce_signature",
    "traceparent",
)
VALUES = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "1.0",
            "0b8f2f62-4d0c-5c9b-8a44-9a4d8a8f3a51",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
            "2026-03-02T12:00:00Z",
            "2026-03-02",
            *(kind.ce_type for kind in ALL),
        ]
    ),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=10)
    | st.sampled_from(["0001-01-01T00:00:00+14:00", "2026-03-02T12:00:00Z", "2026-03-02"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["record_id", "version", "noticed_at", "occurred_at", "time", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
BODIES = st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode())


def located() -> Event[ev.LocationResolved]:
    data = ev.LocationResolved(
        record_id="a", version=1, place_version=1, outcome="unresolved", resolved_at=NOW
    )
    return Event("0b8f2f62-4d0c-5c9b-8a44-9a4d8a8f3a51", "/direct311/geo", "a", NOW, data)


@settings(max_examples=400)
@given(st.dictionaries(st.sampled_from(NAMES), VALUES), BODIES)
def test_a_message_is_an_event_or_is_refused(headers: dict[str, str], body: bytes) -> None:
    whole = encode(located()).headers | headers
    for given_ in (headers, whole):
        try:
            event = decode(given_, body)
        except DecodeError:
            continue
        assert event.time.tzinfo is UTC


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.binary(max_size=10) | st.none())))
def test_headers_that_are_no_text_are_left_out(pairs: list[tuple[str, bytes]]) -> None:
    for name, value in read_headers(pairs).items():
        assert (name, value.encode()) in [(n, v or b"") for n, v in pairs]


@pytest.mark.parametrize("field", ["layers", "boundary_sets"])
def test_a_refusal_names_fields_and_not_what_the_sender_wrote(field: str) -> None:
    message = encode(located())
    body = json.loads(message.body) | {field: {"Maria Lopez 305-555-0142": 7}}
    with pytest.raises(DecodeError) as refused:
        decode(message.headers, json.dumps(body).encode())
    assert field in str(refused.value)
    assert "Maria" not in str(refused.value)


@pytest.mark.parametrize(
    "traceparent",
    [
        "Maria Lopez",
        "00-" + "a" * 32 + "-" + "b" * 16,
        "00-" + "A" * 32 + "-" + "b" * 16 + "-01",
        "",
    ],
)
def test_a_trace_context_that_is_none_does_not_travel_on(traceparent: str) -> None:
    message = encode(located())
    assert decode(message.headers | {"traceparent": traceparent}, message.body).traceparent is None


def test_a_trace_context_travels_on() -> None:
    message = encode(located())
    context = f"00-{'a' * 32}-{'b' * 16}-01"
    assert decode(message.headers | {"traceparent": context}, message.body).traceparent == context
