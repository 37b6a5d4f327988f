"""Blind indexes: the same person, however written; nobody without the keys."""

import base64
import json
import math
import os
from datetime import UTC, datetime
from hashlib import sha256
from hmac import digest
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.intake.indexes.adapters.keyed import (
    KeyedIndexes,
    cell,
    cells_within,
    normalise_email,
    normalise_name,
)
from direct311.intake.indexes.adapters.phone import normalise_phone
from direct311.runtime.vault.keys import KeyProviderError

FIELDS = ("phone", "email", "name", "address", "cell", "content", "search")


class At:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


def indexes(seed: int = 1, month: int = 3) -> KeyedIndexes:
    keys = {name: bytes([seed, number]) * 16 for number, name in enumerate(FIELDS)}
    return KeyedIndexes(1, keys, At(datetime(2026, month, 2, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("one", "two"),
    [("(305) 555-0142", "+1 305 555 0142"), ("305.555.0142", "3055550142")],
)
def test_a_number_is_the_same_however_written(one: str, two: str) -> None:
    assert indexes().person("phone", one) == indexes().person("phone", two) != ()


@given(
    digits=st.from_regex(r"[0-9]{9,11}", fullmatch=True),
    form=st.sampled_from(
        ["{}{}{}", "({}) {}-{}", "({}){}-{}", "{}-{}-{}", "{}.{}.{}", "{} {} {}", "+1 {} {} {}",
         "1-{}-{}-{}", "+1{}{}{}", "1 ({}) {}-{}", "{}--{}-{}", "({} {}-{}"]
    ),
)  # fmt: skip
def test_usual_numbers_are_read_as_the_library_reads_them(digits: str, form: str) -> None:
    text = form.format(digits[:3], digits[3:6], digits[6:])
    try:
        number = phonenumbers.parse(text, "US")
    except phonenumbers.NumberParseException:
        assert normalise_phone(text) is None
        return
    read = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    assert normalise_phone(text) == (read if phonenumbers.is_possible_number(number) else None)


def test_names_lose_case_accents_and_order() -> None:
    assert normalise_name("Núñez, José") == normalise_name("jose nunez") == "jose nunez"
    assert normalise_name("!?") is None


def test_addresses_of_mail_lose_case_and_gain_ascii() -> None:
    assert normalise_email(" Zora@EXAMPLE.com ") == "zora@example.com"
    assert normalise_email("zora@bücher.example") == "zora@xn--bcher-kva.example"
    assert normalise_email("zora") is None


@pytest.mark.parametrize("text", ["", "call me", "12"])
def test_what_is_no_number_has_no_index(text: str) -> None:
    assert normalise_phone(text) is None


def test_another_key_gives_another_index() -> None:
    assert indexes(1).person("phone", "3055550142") != indexes(2).person("phone", "3055550142")


def test_fields_do_not_share_a_key() -> None:
    found = indexes()
    assert found.person("email", "a@b.example") != found.person("name", "a@b.example")


def test_a_point_is_in_its_own_neighbourhood_and_not_in_one_far_away() -> None:
    found = indexes()
    own, before = found.place(None, 25.7701, -80.2001)
    assert own in found.around(25.7701, -80.2001, 30.0)
    assert own not in found.around(25.7801, -80.2001, 30.0)
    # What an entry of before, of nine cells of 50 m, knows it by.
    wide = cell(25.7701, -80.2001, 50.0)
    key = bytes([1, FIELDS.index("cell")]) * 16
    assert before == f"1:{digest(key, b'%d:%d' % wide, sha256).hex()[:40]}"
    north, east = cell(25.7701, -80.2001)
    assert cell(25.7701 + 11 / 111_320, -80.2001)[0] == north + 1
    assert cell(25.7701, -80.2001 + 11 / 100_391)[1] == east + 1


@given(
    st.floats(25.1, 26.0),
    st.floats(-80.9, -80.1),
    st.floats(0, 360),
    st.floats(0, 80),
    st.sampled_from([30.0, 50.0]),
)
def test_what_lies_within_reach_of_a_point_is_in_its_cells(
    latitude: float, longitude: float, bearing: float, away: float, reach: float
) -> None:
    way = math.radians(bearing)
    other = (
        latitude + away * math.cos(way) / 111_320,
        longitude + away * math.sin(way) / (111_320 * math.cos(math.radians(25.6))),
    )
    within = cell(*other) in set(cells_within(latitude, longitude, reach))
    if away < reach - 0.01:
        assert within
    elif away > reach + 10 * math.sqrt(2) + 0.01:
        assert not within


def test_a_search_is_hashed_under_a_key_of_its_month() -> None:
    assert indexes(month=3).query("phone", "3055550142") == indexes(month=3).query(
        "phone", "(305) 555 0142"
    )
    assert indexes(month=3).query("phone", "1") != indexes(month=4).query("phone", "1")
    assert "3055550142" not in indexes().query("phone", "3055550142")


def test_a_file_without_all_keys_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "index.json"
    clock = At(datetime(2026, 3, 2, tzinfo=UTC))
    full = {name: base64.b64encode(bytes(32)).decode() for name in FIELDS}
    wrong: tuple[object, ...] = (
        {},
        {"version": 1, "keys": {}},
        {"version": 1, "keys": full | {"phone": "AAAA"}},
    )
    for document in wrong:
        path.write_text(json.dumps(document))
        with pytest.raises(KeyProviderError):
            KeyedIndexes.from_file(path, clock)
    path.write_text(json.dumps({"version": 1, "keys": full}))
    assert KeyedIndexes.from_file(path, clock).content_key == bytes(32)
    malformed: tuple[object, ...] = (
        {"1": {}},
        {"1": {**full, "cell": "AAAA"}},
        {"2": full},
        {"x": full},
        [],
    )
    for older in malformed:
        path.write_text(json.dumps({"version": 2, "keys": full, "older": older}))
        with pytest.raises(KeyProviderError):
            KeyedIndexes.from_file(path, clock)
    path.write_text(json.dumps({"version": 3, "keys": full, "older": {"1": full, "2": full}}))
    assert KeyedIndexes.from_file(path, clock).versions == (3, 2, 1)


def test_every_value_is_made_under_each_version_in_force() -> None:
    clock = At(datetime(2026, 3, 2, tzinfo=UTC))
    old = {name: os.urandom(32) for name in FIELDS}
    new = {name: os.urandom(32) for name in FIELDS}
    before, both = KeyedIndexes(1, old, clock), KeyedIndexes(2, new, clock, {1: old})
    after = KeyedIndexes(2, new, clock)
    plain = {"phone": "305 555 0142", "email": "a@b.example", "first_name": "A"}
    for values in (
        lambda indexes: {of: set(found) for of, found in indexes.of(plain).items()},
        lambda indexes: {"place": set(indexes.place("111 NW 1 ST", 25.77, -80.2))},
        lambda indexes: {"around": set(indexes.around(25.77, -80.2, 30.0))},
    ):
        found = values(both)
        assert found == {of: values(before)[of] | values(after)[of] for of in found}
        assert not [of for of in found if values(before)[of] & values(after)[of]]
    assert both.person("phone", "305 555 0142")[0] == after.person("phone", "305 555 0142")[0]
    assert both.fingerprint(1) == before.fingerprint(1) != both.fingerprint(2)
    assert both.query("phone", "305 555 0142") == after.query("phone", "305 555 0142")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Наталья Петрова", "ПЕТРОВА, наталья"),
        ("Łukasz Øster", "øster łukasz"),
        ("Jose\u0301 Nu\u0301n\u0303ez", "José Núñez"),
        ("Straße", "STRASSE"),
    ],
)
def test_a_name_is_found_in_any_script(one: str, other: str) -> None:
    assert normalise_name(one) is not None
    assert normalise_name(one) == normalise_name(other)


@given(st.text(st.characters(max_codepoint=127), max_size=40))
def test_a_name_in_ascii_is_read_as_any_other(name: str) -> None:
    # An accent at the end takes the way of all other scripts, and goes.
    assert normalise_name(name) == normalise_name(name + "\u0301")
