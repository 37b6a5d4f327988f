"""A body that is checked in one reading is refused exactly when the thorough check refuses it."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.audit.log.handlers import bodies
from direct311.audit.log.handlers.bodies import (
    DEEPEST,
    LARGEST_NUMBER,
    check_body,
    check_numbers,
    decode_body,
)
from tests.unit.audit.events import RECORD, Producer


def thorough(body: bytes) -> None:
    check_numbers(decode_body(body))


def outcome(check: Callable[[bytes], None], body: bytes) -> str:
    try:
        check(body)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "right"


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1}',
        b'{"a": 1, "a": 2}',
        b'{"b": {"a": 1, "\\u0061": 2}}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1.5, "b": 1e308}',
        b'{"a": 1e309}',
        b'{"a": "\\ud800"}',
        b'{"\\ud800": 1}',
        '{"a": "ñ"}'.encode(),
        '{"a": "n"}'.encode("utf-16-le"),
        '{"a": "n"}'.encode("utf-32-be"),
        b'\xef\xbb\xbf{"a": 1}',
        b"",
        b"[",
        b"[" * DEEPEST + b"]" * DEEPEST,
        b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1),
        b"[" + b"[]," * DEEPEST + b"[]]",
        str(LARGEST_NUMBER).encode(),
        str(LARGEST_NUMBER + 1).encode(),
        str(-LARGEST_NUMBER).encode(),
        str(-LARGEST_NUMBER - 1).encode(),
        b"9" * 5_000,
        b'"a\nb"',
        b'{"a": 1} x',
        b" true ",
    ],
)
def test_what_is_wrong_is_refused_with_the_same_words(body: bytes) -> None:
    assert outcome(check_body, body) == outcome(thorough, body)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**54), 2**54)
    | st.floats()
    | st.text(max_size=5)
    | st.text(alphabet="\ud800\\\0", max_size=2),
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(st.text(max_size=3), parts),
    max_leaves=20,
)


@given(JSON, st.booleans())
def test_both_checks_agree_on_any_value(value: object, escaped: bool) -> None:
    text = json.dumps(value, ensure_ascii=escaped)
    body = text.encode(errors="surrogatepass")
    assert outcome(check_body, body) == outcome(thorough, body)


def test_an_access_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    def walked(_: bytes) -> object:
        raise AssertionError("the thorough check was not needed")

    monkeypatch.setattr(bodies, "decode_body", walked)
    check_body(Producer().access(RECORD).body)
