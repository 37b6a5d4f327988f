"""Withheld values are found in whatever form they went out, and others are not."""

import os
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.redaction.fold import shadow_of
from direct311.redaction.leak_scan import LeakHit, LeakScanner, scan
from direct311.redaction.leaks import (
    WINDOWS,
    Fingerprint,
    Keyed,
    WithheldValue,
    fingerprints,
    leak_kinds,
    leak_rules,
)
from tests.support.leaks import made_records, planted

KEY = os.urandom(32)
OTHER_KEY = os.urandom(32)


def found(
    kind: str, value: str, text: str, record_id: str | None = None
) -> Sequence[tuple[int, int]]:
    prints = fingerprints(KEY, [WithheldValue("r-1", kind, value)])
    return [(hit.start, hit.end) for hit in scan(KEY, prints, text, record_id)]


def test_each_of_a_hundred_planted_values_is_found() -> None:
    missed = []
    for value, text in planted(100):
        prints = fingerprints(KEY, [value])
        hits = scan(KEY, prints, f"Dear neighbor, {text} is all.")
        if not hits or hits[0].kind != value.kind:
            missed.append((value.kind, text))
    assert missed == []


def test_at_most_two_of_two_hundred_clean_packages_are_stopped() -> None:
    stopped = []
    for seed in range(200):
        records = made_records(seed)
        withheld = [value for each in records for value in each.withheld]
        scanner = LeakScanner(KEY, fingerprints(KEY, withheld))
        if any(scanner.scan("\n".join(each.fields.values()), each.record_id) for each in records):
            stopped.append(seed)
    assert len(stopped) <= 2, stopped


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("name", "Zora Neale", "zora_neale.jpg"),
        ("name", "José Núñez", "JOSE NUNEZ"),
        ("name", "Ana María de la Cruz", "Cruz, Ana Maria de la"),
        ("telephone", "305-555-0142", "tel:+13055550142"),
        ("telephone", "(305) 555-0142 x12", "305 555 0142"),
        ("telephone", "+44 20 7946 0958", "+44 (20) 7946-0958"),
        (
            "telephone",
            "\u0663\u0660\u0665-\u0665\u0665\u0665-\u0660\u0661\u0664\u0662",
            "3055550142",
        ),
        ("email", "Zora@Example.org", "zora&#64;example.org"),
        ("address", "12 NW 2nd Avenue Apt 4", "12 northwest 2nd ave. apt. 4"),
        ("number", "078-05-1120", "078051120"),
        ("identifier", "A1B2-C3D4", "a1b2c3d4"),
        (
            "name",
            "\u0416\u0430\u043d\u043d\u0430 \u0410\u0433\u0443\u0437",
            "\u0416\u0410\u041d\u041d\u0410\n\u0410\u0413\u0423\u0417",
        ),
    ],
)
def test_a_value_is_found_in_another_form(kind: str, value: str, text: str) -> None:
    assert found(kind, value, f"x {text} y")


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("name", "Zora Neale", "zora nealey"),
        ("name", "Zora Neale", "gonzora neale"),
        ("telephone", "305-555-0142", "305-555-01423"),
        ("telephone", "305-555-0142", "4305-555-0142"),
        ("telephone", "305-555-0142", "305-555-0143"),
        ("email", "ora@example.org", "zora@example.org"),
        ("address", "12 NW 2nd Avenue", "112 NW 2nd Avenue"),
    ],
)
def test_what_is_only_like_a_value_is_not_found(kind: str, value: str, text: str) -> None:
    assert not found(kind, value, f"x {text} y")


@pytest.mark.parametrize(
    ("kind", "value"), [("name", "Ann"), ("name", "Schwarzenegger"), ("telephone", "555-0142")]
)
def test_a_short_value_is_looked_for_in_its_own_record_alone(kind: str, value: str) -> None:
    assert not found(kind, value, f"x {value} y")
    assert not found(kind, value, f"x {value} y", "r-2")
    assert found(kind, value, f"x {value} y", "r-1")


def test_a_single_name_that_is_an_ordinary_word_needs_a_capital() -> None:
    assert not found("name", "Long", "It took a long time.", "r-1")
    assert found("name", "Long", "It took Long a time.", "r-1")
    assert found("name", "Long", "it took long a time.", "r-1")
    assert found("name", "Ann Long", "It was ann long.")


def test_a_value_of_two_letters_is_not_looked_for() -> None:
    assert fingerprints(KEY, [WithheldValue("r-1", "name", "Li")]) == ()


def test_a_part_of_a_long_text_is_found() -> None:
    text = " ".join(f"w{number} sentence" for number in range(80))
    middle = text[200:420]
    assert found("text", text, f"He wrote: {middle}!")
    assert found("text", text, text[-110:])
    assert not found("text", text, text[200:230])
    # Two people may use the same sentence.
    assert not found("text", text, middle, "r-2")
    assert found("text", text, middle, "r-1")
    assert found("text", text, text, "r-2")


def test_hits_say_where_and_never_what() -> None:
    (hit,) = scan(
        KEY, fingerprints(KEY, [WithheldValue("r-1", "name", "Zora Neale")]), "x Zora Neale"
    )
    assert hit == LeakHit("r-1", "name", 2, 12)
    assert "Zora" not in repr(WithheldValue("r-1", "name", "Zora Neale"))


def test_nothing_is_found_under_another_key() -> None:
    prints = fingerprints(KEY, [WithheldValue("r-1", "name", "Zora Neale")])
    other = fingerprints(OTHER_KEY, [WithheldValue("r-1", "name", "Zora Neale")])
    assert scan(OTHER_KEY, prints, "Zora Neale") == []
    assert not {each.rolling for each in prints} & {each.rolling for each in other}
    with pytest.raises(ValueError, match="32 bytes"):
        Keyed(b"short")


@given(st.text(min_size=1), st.text(max_size=40))
def test_a_value_is_found_wherever_it_stands(before: str, value: str) -> None:
    prints = fingerprints(KEY, [WithheldValue("r-1", "text", value)])
    hits = scan(KEY, prints, f"{before}\n \n{value}\n \n{before}", "r-1")
    assert bool(hits) == bool(prints)


@pytest.mark.parametrize("window", WINDOWS)
@given(st.text(alphabet="ab1 \u00e9\u0416", max_size=60), st.integers(0, 2**32))
def test_every_window_of_a_text_slides_to_its_own_fingerprint(
    window: int, text: str, seed: int
) -> None:
    key = random.Random(seed).randbytes(32)
    normal = "".join(char for char in shadow_of(text) if char.isalnum())
    for at in range(len(normal) - window + 1):
        part = normal[at : at + window]
        prints = [
            Fingerprint(
                "r", "text", window, window, Keyed(key).rolling(part), Keyed(key).mac(part), True
            )
        ]
        # Set apart, so that it begins and ends a word.
        assert scan(key, prints, f"{normal[:at]} {part} {normal[at + window :]}", "r")


def test_a_text_longer_than_a_block_is_scanned_whole() -> None:
    prints = fingerprints(KEY, [WithheldValue("r-1", "name", "Zora Neale")])
    for length in (65_530, 65_536, 131_070):
        text = "b" * length + " Zora Neale " + "c" * 70_000
        assert [hit.start for hit in scan(KEY, prints, text)] == [length + 1]


def test_every_kind_has_rules_and_every_street_word_two_forms() -> None:
    of_records = {"name", "telephone", "email", "address", "number", "identifier", "text"}
    assert of_records | {"page", "position"} == set(leak_kinds())
    street = leak_rules().street
    assert not street.keys() & set(street.values())
