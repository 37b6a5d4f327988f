"""Many submissions of one sender are marked, whoever the sender is known by."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from direct311.intake.submission.domain.submission import Submission
from direct311.intake.submission.handlers.bursts import MOST, MOST_SENDERS, Bursts
from direct311.schemas.events import Place
from tests.support.runtime import NOW


def submission(**about: object) -> Submission:
    place = Place(latitude=25.6789, longitude=-80.3456)
    given = {"jurisdiction_id": "miamidade", "service_code": "A", "place": place, **about}
    return Submission(**given)  # type: ignore[arg-type]


PHONE: Mapping[str, Sequence[str]] = {"phone": ("1:abc",)}


@pytest.mark.parametrize(
    ("one", "indexes"),
    [
        (submission(), PHONE),
        (submission(contact={"device_id": "d-1"}), {}),
        (submission(), {}),
        (submission(place=Place(address="1 NW 1 ST")), {}),
    ],
    ids=["person", "device", "place", "address"],
)
def test_who_sends_many_within_minutes_is_marked(
    one: Submission, indexes: Mapping[str, Sequence[str]]
) -> None:
    bursts = Bursts()
    marked = [bursts.note("c", one, indexes, NOW + timedelta(seconds=n)) for n in range(MOST + 3)]
    assert marked == [False] * MOST + [True] * 3
    # Slowly, it is nothing strange.
    later = NOW + timedelta(hours=1)
    assert not any(
        bursts.note("c", one, indexes, later + timedelta(minutes=3 * n)) for n in range(20)
    )


def test_other_people_places_types_and_clients_are_other_senders() -> None:
    bursts = Bursts()
    for _ in range(MOST):
        assert not bursts.note("c", submission(), PHONE, NOW)
    assert bursts.note("c", submission(), PHONE, NOW)
    assert not bursts.note("c", submission(), {"phone": ("1:xyz",)}, NOW)
    assert not bursts.note("d", submission(), PHONE, NOW)
    assert not bursts.note("c", submission(service_code="B"), {}, NOW)
    assert not bursts.note("c", submission(), {}, NOW)


def test_senders_do_not_fill_the_memory() -> None:
    bursts = Bursts()
    for number in range(MOST_SENDERS + 100):
        bursts.note("c", submission(), {"phone": (str(number),)}, NOW)
    assert len(bursts._seen) == MOST_SENDERS
