"""All readings of a person: how many variants are known, and how many others are taken for one."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random

import pytest

from direct311.intake.indexes.adapters.keyed import PersonReadings, person_words
from direct311.intake.indexes.domain.readings import MOST
from tests.support.person_variants import MAILS, NAMES, PHONES, Person, persons

PAIRS = 20_000
EACH = 300
READ = PersonReadings(person_words().content)


def known(field: str, entry: str, request: str) -> bool:
    """Whether who was entered so is known in a request that says so."""
    return not set(READ(field, entry).sought).isdisjoint(READ(field, request).held)


def known_of_fields(entry: str, first: str, last: str) -> bool:
    """The same of a request whose form has two fields for the name."""
    held = READ("name", f"{first} {last}", first, last).held
    assert len(held) <= MOST
    return not set(READ("name", entry).sought).isdisjoint(held)


def recall(field: str, pairs: Sequence[tuple[str, str]]) -> float:
    return sum(known(field, *pair) for pair in pairs) / len(pairs)


def numbers(count: int) -> list[str]:
    random = Random(7)
    return [f"305{random.randint(2_000_000, 9_999_999)}" for _ in range(count)]


@pytest.mark.policy("P8")
def test_a_person_is_known_in_every_kind_of_writing() -> None:
    made_up = persons(1, EACH)
    found = {
        **{f"name, {kind}": recall("name", [v(p) for p in made_up]) for kind, v in NAMES.items()},
        **{
            f"email, {kind}": recall("email", [(p.mail, v(p.mail)) for p in made_up])
            for kind, v in MAILS.items()
        },
        **{
            f"phone, {kind}": recall("phone", [(n, v(n)) for n in numbers(EACH)])
            for kind, v in PHONES.items()
        },
    }
    for kind, share in found.items():
        print(f"{kind}: {share:.3f}")  # noqa: T201 - what was measured
    assert {kind: share for kind, share in found.items() if share < 0.99} == {}


def _middle(one: Person, other: Person) -> tuple[str, str]:
    return f"{one.first} {one.middle} {one.last}", f"{one.first} {other.middle} {one.last}"


def test_two_persons_are_rarely_taken_for_one() -> None:
    made_up = persons(2, PAIRS + 1)
    pairs = {
        "any two": [
            (f"{a.first} {a.middle} {a.last}", f"{b.first} {b.last} {b.second}")
            for a, b in pairwise(made_up)
        ],
        "any two, two words": [
            (f"{a.first} {a.last}", f"{b.first} {b.last}") for a, b in pairwise(made_up)
        ],
        "of one surname": [
            (f"{a.first} {a.last}", f"{b.first} {b.middle} {a.last}")
            for a, b in pairwise(made_up)
            if a.first != b.first
        ],
        "of one given name": [
            (f"{a.first} {a.middle} {a.last}", f"{a.first} {b.last} {b.second}")
            for a, b in pairwise(made_up)
        ],
        "of one given name and surname, other middle names": [
            _middle(a, b) for a, b in pairwise(made_up) if a.middle != b.middle
        ],
        "of two surnames, one the same": [
            (f"{a.first} {a.last} {a.second}", f"{a.first} {a.last} {b.second}")
            for a, b in pairwise(made_up)
            if b.second not in (a.last, a.second)
        ],
    }
    rates = {kind: recall("name", found) for kind, found in pairs.items()}
    for kind, rate in rates.items():
        print(f"{kind}: {rate:.5f} of {len(pairs[kind])}")  # noqa: T201 - what was measured
    assert max(rates.values()) <= 0.001


def test_a_field_alone_is_not_taken_for_somebody_of_the_same_words() -> None:
    made_up = [p for p in pairwise(persons(2, 4001)) if p[0].last != p[1].last]
    wrong = {
        "given names alike": sum(
            known_of_fields(f"{a.first} {a.middle} {a.last}", f"{a.first} {a.middle}", b.last)
            for a, b in made_up
        ),
        "surnames alike": sum(
            known_of_fields(f"{a.first} {a.last} {a.second}", b.first, f"{a.last} {a.second}")
            for a, b in made_up
            if a.first != b.first
        ),
    }
    assert max(wrong.values()) <= 0.001 * len(made_up)


def test_mailboxes_and_numbers_of_two_are_not_taken_for_one() -> None:
    made_up, listed = persons(3, PAIRS + 1), numbers(PAIRS + 1)
    assert not [a for a, b in pairwise(made_up) if known("email", a.mail, b.mail)]
    assert not [a for a, b in pairwise(listed) if a != b and known("phone", a, b)]
    assert not known("email", "zora.neale@example.org", "zoraneale@example.org")
    assert not known("email", "zora@example.org", "zora@example.com")


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("name", " ".join(person.first for person in persons(4, 40))),
        ("name", " & ".join(f"{p.first} {p.middle} {p.last} {p.second}" for p in persons(5, 12))),
        ("email", ",".join(person.mail for person in persons(6, 40))),
        ("phone", " ".join(numbers(40))),
        ("name", "'-. " * 60),
        ("email", "@" * 250),
        ("phone", "+" * 30 + "1" * 30),
    ],
)
def test_readings_of_a_field_are_few_whatever_it_holds(field: str, text: str) -> None:
    found = READ(field, text)
    assert len(found.sought) <= MOST
    assert len(found.held) <= MOST


@pytest.mark.parametrize(
    ("field", "text", "first"),
    [
        ("name", "Núñez, José", "jose nunez"),
        ("name", "Dr. Zora Neale Hurston", "dr hurston neale zora"),
        ("email", "Zora+1@Example.org", "zora+1@example.org"),
        ("phone", "(305) 555-0142", "+13055550142"),
        ("name", "Наталья Петрова", "наталья петрова"),
    ],
)
def test_the_first_reading_is_what_was_hashed_before_there_were_others(
    field: str, text: str, first: str
) -> None:
    found = READ(field, text)
    assert found.sought[0] == found.held[0] == first


@pytest.mark.parametrize(
    ("field", "text"), [("phone", "call me"), ("email", "zora"), ("name", "!")]
)
def test_what_is_none_has_no_reading(field: str, text: str) -> None:
    assert READ(field, text).sought == READ(field, text).held == ()
