"""Which of the residents' languages an `Accept-Language` header asks for (RFC 9110, 12.5.4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.intake.language import LANGUAGES, LONGEST_HEADER, preferred


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("es", "es"),
        ("ES", "es"),
        ("ht", "ht"),
        ("ht-HT", "ht"),
        ("es-419,es;q=0.9,en;q=0.8", "es"),
        ("en-US,en;q=0.9,es;q=0.8", "en"),
        ("fr-FR, ht;q=0.7, en;q=0.3", "ht"),
        ("en;q=0.2, es;q=0.4, ht;q=0.6", "ht"),
        ("en;q=0.200, es;q=0.201", "es"),
        ("es;q=0.5, es-MX, en;q=0.8", "es"),
        # Liked alike: the first named.
        ("ht, es", "ht"),
        ("es, ht", "es"),
        # Any other; English first.
        ("*", "en"),
        ("fr, *;q=0.5", "en"),
        ("es;q=0.5, *;q=0.1", "es"),
        ("es, *", "es"),
        ("en;q=0, *", "es"),
        ("en;q=0, es;q=0, *;q=0.1", "ht"),
        ("en;q=0.1, *;q=0.5", "es"),
        # Refused is not liked.
        ("es;q=0", "en"),
        ("es;q=0, ht;q=0.001", "ht"),
        ("es;q=0.0, fr", "en"),
        # White space and empty elements are allowed.
        (" es ;q=0.9 ,, en;q=0.1", "es"),
        ("es\t; Q=1.000", "es"),
        # Another language that begins alike.
        ("est, hte", "en"),
    ],
)
def test_the_language_liked_best_is_answered(header: str | None, language: str) -> None:
    assert preferred(header) == language


@pytest.mark.parametrize(
    "header",
    [
        "es;q=2",
        "es;q=1.001",
        "es;q=0.1234",
        "es;q=-1",
        "es;q=nan",
        "es;q=",
        "es;level=1",
        "es q=1",
        "es;q=0.5;q=1",
        "español",
        "es_MX",
        "-es",
        "es-",
        "ht, es=1",
        "e" * 9,
        "es\x00",
        "es, " * LONGEST_HEADER,
    ],
)
def test_a_malformed_header_is_ignored(header: str) -> None:
    assert preferred(header) == "en"


@given(st.text(max_size=60) | st.text("eshtn;q=01.,*- ", max_size=40))
def test_any_header_has_an_answer(header: str) -> None:
    assert preferred(header) in LANGUAGES


WEIGHTS = st.integers(0, 1000).map(lambda thousandths: f"{thousandths / 1000:.3f}")


@given(st.dictionaries(st.sampled_from([*LANGUAGES, "fr", "pt-BR"]), WEIGHTS, min_size=1))
def test_nothing_is_liked_better_than_what_is_answered(weights: dict[str, str]) -> None:
    found = preferred(", ".join(f"{tag};q={weight}" for tag, weight in weights.items()))
    ours = {tag: float(weight) for tag, weight in weights.items() if tag in LANGUAGES}
    best = max(ours.values(), default=0.0)
    assert ours.get(found, 0.0) == best
    if best == 0:
        assert found == "en"


@given(st.permutations(["es;q=0.4", "en;q=0.3", "ht;q=0.9", "fr"]))
def test_the_order_does_not_matter_where_weights_differ(parts: list[str]) -> None:
    assert preferred(",".join(parts)) == "ht"
