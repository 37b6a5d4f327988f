"""What is remembered of a list that was read: where its pages begin, and nothing that is not so."""

from datetime import timedelta

from direct311.intake.open311.adapters.listing import Cut, Walk
from tests.support.runtime import NOW

SECOND = timedelta(seconds=1)
INSTANT = timedelta(milliseconds=1)


def rows(*seconds_ago: int) -> list[dict[str, object]]:
    return [
        {"_id": str(number), "at": NOW - each * SECOND} for number, each in enumerate(seconds_ago)
    ]


def test_a_page_is_found_again_from_the_edge_before_it() -> None:
    walk = Walk(NOW, NOW)
    for seconds, before in ((10, 100), (30, 300), (20, 200)):
        walk.note(NOW - seconds * SECOND, before)
    assert [before for _, before in walk.edges] == [100, 200, 300]
    assert walk.nearest(250, 0) == (NOW - 20 * SECOND, 200)
    assert walk.nearest(200, 0) == (NOW - 20 * SECOND, 200)
    # Seven came since: the row that was the 200th is the 207th.
    assert walk.nearest(206, 7) == (NOW - 10 * SECOND, 107)
    assert walk.nearest(99, 0) is None
    # And it ends at an edge that is not far behind its last row.
    assert walk.end(200, 50) == walk.end(150, 50) == NOW - 20 * SECOND
    assert walk.end(149, 50) is None
    assert walk.end(301, 50) is None


def test_where_a_walk_ended_well_the_next_one_tries_first() -> None:
    walk = Walk(NOW, NOW, hints=[(NOW - 10 * SECOND, 100), (NOW - 20 * SECOND, 200)])
    assert walk.end(100, 50) == NOW - 10 * SECOND
    walk.note(NOW - 9 * SECOND, 100)
    assert walk.end(100, 50) == NOW - 9 * SECOND
    # Rows before a page are never told by a hint.
    assert walk.nearest(200, 0) == (NOW - 9 * SECOND, 100)


def test_what_contradicts_what_is_known_is_not_noted() -> None:
    walk = Walk(NOW, NOW)
    walk.note(NOW - 20 * SECOND, 200)
    walk.note(NOW - 25 * SECOND, 199)
    walk.note(NOW - 15 * SECOND, 201)
    walk.note(NOW - 20 * SECOND, 200)
    assert walk.edges == [(NOW - 20 * SECOND, 200)]


def test_a_page_tells_where_it_begins_and_ends() -> None:
    before, first, last, behind = rows(1, 2, 3, 4)
    cut = Cut([before], [first, last], [behind])
    assert list(cut.edges("at", 40)) == [
        (NOW - 2 * SECOND + INSTANT, 40),
        (NOW - 3 * SECOND, 42),
    ]


def test_a_page_whose_neighbours_have_its_own_times_tells_nothing() -> None:
    before, first, last, behind = rows(2, 2, 3, 3)
    assert list(Cut([before], [first, last], [behind]).edges("at", 40)) == []
    assert list(Cut([], [], []).edges("at", 0)) == []
