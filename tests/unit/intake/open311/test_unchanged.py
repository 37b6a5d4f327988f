"""Answers that need not be sent again."""

from datetime import date

import pytest

from direct311.intake.open311.wire.unchanged import DailyCache
from direct311.runtime.http.documents import is_known

TODAY, TOMORROW = date(2026, 3, 1), date(2026, 3, 2)


def test_a_body_is_made_once_a_day_and_again_on_the_next() -> None:
    made: list[bytes] = []

    def make() -> bytes:
        made.append(b"body %d" % len(made))
        return made[-1]

    daily_cache = DailyCache()
    first, headers = daily_cache.body(TODAY, ("services", "en", "json"), make)
    again, same = daily_cache.body(TODAY, ("services", "en", "json"), make)
    assert (again, same) == (first, headers)
    other, _ = daily_cache.body(TODAY, ("services", "es", "json"), make)
    assert other != first
    later, changed = daily_cache.body(TOMORROW, ("services", "en", "json"), make)
    assert later != first
    assert changed["ETag"] != headers["ETag"]
    assert len(made) == 3


@pytest.mark.parametrize(
    ("sent", "known"),
    [
        ('"abc"', True),
        ('W/"abc"', True),
        ('"x", W/"abc"', True),
        ("*", True),
        ('"abcd"', False),
        ("abc", False),
        ("", False),
        (None, False),
    ],
)
def test_a_tag_is_known_by_weak_comparison(sent: str | None, known: bool) -> None:
    assert is_known(sent, '"abc"') is known
