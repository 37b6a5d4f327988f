"""What of a place is compared with the protection registry, and what may be seen of it then."""

from typing import Any

import pytest

from direct311.intake.catalogue.adapters import load_catalogue
from direct311.intake.indexes.adapters.keyed import KeyedIndexes
from direct311.intake.indexes.domain.reach import POINT_REACH
from direct311.intake.lifecycle.handlers import Follow
from direct311.intake.open311.wire import views
from direct311.intake.request import Located, ServiceRequest
from direct311.schemas import Event
from direct311.schemas import events as ev
from tests.support.intake import InMemoryRegistry, index_keys
from tests.support.runtime import NOW, SetClock

pytestmark = pytest.mark.anyio
INDEXES = KeyedIndexes(1, index_keys(), SetClock())
HOME = (25.671695, -80.379989)
BESIDE = (HOME[0] + 0.0014, HOME[1])
"""Some 150 m away."""
LINE = "11500 SW 104TH ST"
TYPE = load_catalogue().content.services[0]

NOBODY = InMemoryRegistry(version=2)
BY_ADDRESS = InMemoryRegistry(*INDEXES.place(LINE, None, None), version=2)
BY_POINT = InMemoryRegistry(*INDEXES.around(*HOME, POINT_REACH), version=2)


def point(at: tuple[float, float]) -> dict[str, float]:
    return {"latitude": at[0], "longitude": at[1]}


async def located(
    registry: InMemoryRegistry, given: ev.Place, **found: Any
) -> tuple[ServiceRequest, ev.Place, dict[str, Any]]:
    """The request once geo has answered, its place as departments hear of it, and the public's."""
    state = ServiceRequest(
        record_id="r",
        version=1,
        service_code=TYPE.service_code,
        received_at=NOW,
        updated_at=NOW,
        place=given,
    )
    said = ev.LocationResolved(
        record_id="r", version=1, place_version=1, resolved_at=NOW, confidence=0, **found
    )
    event = Event(
        id="0b8f2f62-4d0c-5c9b-8a44-9a4d8a8f3a51", source="/geo", subject="r", time=NOW, data=said
    )
    follow = Follow(registry, INDEXES.place, SetClock())
    change = await follow.located(state, event)
    assert change is not None
    (out,) = change.events
    assert isinstance(out.data, ev.RequestUpdated)
    shown = views.request(change.state, TYPE, None, extensions=True)
    return change.state, out.data.place, dict(shown)


@pytest.mark.policy("P8")
@pytest.mark.parametrize(
    ("registry", "given", "found"),
    [
        # As geo reads it, wherever the pin is.
        (BY_ADDRESS, point((26.12, -80.13)), {"outcome": "outside", "address": LINE}),
        # Geo says nothing of it: as it was typed, in whatever field.
        (BY_ADDRESS, {"address": "11500 sw 104th st."}, {"outcome": "unresolved"}),
        (BY_ADDRESS, {"address_id": "11500-SW-104th-ST"}, {"outcome": "unresolved"}),
        # Geo has no boundaries.
        (BY_POINT, point(HOME), {"outcome": "unresolved"}),
        # The two exchanged, a sign lost, or both.
        (BY_POINT, point((HOME[1], HOME[0])), {"outcome": "unresolved"}),
        (
            BY_POINT,
            point((HOME[0], -HOME[1])),
            {"outcome": "outside", **point((HOME[0], -HOME[1]))},
        ),
        (BY_POINT, point((-HOME[1], HOME[0])), {"outcome": "unresolved"}),
        # Geo found another point than was given.
        (BY_POINT, point(HOME), {"outcome": "resolved", **point(BESIDE)}),
    ],
)
async def test_what_was_given_is_compared_as_is_what_geo_found(
    registry: InMemoryRegistry, given: dict[str, Any], found: dict[str, Any]
) -> None:
    state, told, shown = await located(registry, ev.Place(**given), **found)
    assert (state.place_checked, state.protected, state.listed) == (True, True, False)
    assert told == ev.Place()
    assert (shown["lat"], shown["long"], shown["address_id"]) == (None, None, None)
    assert shown["address"] in (None, "Unincorporated Miami-Dade")
    # An entry that is made later finds it by the same values.
    assert registry.hashes & set(state.indexes["place"])


@pytest.mark.policy("P8", "P13")
async def test_words_that_geo_cannot_read_go_to_the_department_and_not_to_the_public() -> None:
    words = "the yellow house, eleven-five-hundred Southwest 104 street"
    typed = ev.Place(address=words, address_id="lot-7", **point(BESIDE))
    state, told, shown = await located(
        BY_POINT, typed, outcome="resolved", zip_code="33176", **point(BESIDE)
    )
    # Its pin was compared, and is nobody's.
    assert (state.protected, state.listed) == (False, True)
    assert (shown["lat"], shown["long"]) == BESIDE
    assert shown["address"] == "Unincorporated Miami-Dade, 33176"
    assert (told.address, told.address_id) == (words, "lot-7")
    assert "yellow" not in str(shown)
    assert "lot-7" not in str(shown)


async def test_an_address_shows_as_geo_reads_it_and_in_no_other_words() -> None:
    typed = ev.Place(address="11500 Southwest 104 Street, beside Maria's")
    _, told, shown = await located(
        NOBODY,
        typed,
        outcome="resolved",
        address=LINE,
        read=ev.AddressRead(known=True),
        **point(HOME),
    )
    assert (told.address, shown["address"]) == (LINE, LINE)


@pytest.mark.parametrize("read", [None, ev.AddressRead(readings=("4521 GATECODE1234",))])
async def test_words_of_a_street_that_geo_does_not_know_are_for_the_department_alone(
    read: ev.AddressRead | None,
) -> None:
    words = "4521 gate code 1234 St"
    _, told, shown = await located(
        NOBODY,
        ev.Place(address=words, **point(HOME)),
        outcome="resolved",
        address="4521 GATE CODE 1234 ST",
        municipality="Miami",
        zip_code="33176",
        read=read,
        **point(HOME),
    )
    assert told.address == words
    assert shown["address"] == "Miami, 33176"
    assert "1234" not in str(shown)


async def test_all_readings_and_geos_own_point_are_compared() -> None:
    typed = ev.Place(address="11500 SW 104 ND ST", **point((25.9, -80.3)))
    readings, own = ("11500 104",), {"error_m": 0.0, **point(HOME)}
    by_reading = InMemoryRegistry(*INDEXES.place("11500 104", None, None), version=2)
    for registry, read in (
        (by_reading, ev.AddressRead(readings=readings)),
        (BY_POINT, ev.AddressRead(**own)),
    ):
        state, told, _ = await located(
            registry, typed, outcome="resolved", read=read, **point((25.9, -80.3))
        )
        assert state.protected
        assert told == ev.Place()
    # One that may be off by more would take neighbors for the home.
    state, _, _ = await located(
        BY_POINT, typed, outcome="resolved", read=ev.AddressRead(**{**own, "error_m": 86.0})
    )
    assert not state.protected


@pytest.mark.parametrize("at", [HOME, (HOME[1], HOME[0])])
async def test_a_point_that_geo_cannot_place_is_for_those_who_sort_it_out(
    at: tuple[float, float],
) -> None:
    state, told, shown = await located(NOBODY, ev.Place(**point(at)), outcome="unresolved")
    assert (state.protected, state.listed) == (False, False)
    assert (told.latitude, told.longitude) == at
    assert (shown["lat"], shown["long"], shown["address"]) == (None, None, None)


async def test_half_a_point_is_not_put_together_with_another() -> None:
    _, told, shown = await located(
        NOBODY, ev.Place(latitude=25.9), outcome="resolved", **point(HOME)
    )
    assert (told.latitude, told.longitude) == HOME
    assert (shown["lat"], shown["long"]) == HOME


async def test_what_was_compared_in_part_before_is_compared_whole_with_the_next_registry() -> None:
    state = ServiceRequest(
        record_id="r",
        version=3,
        received_at=NOW,
        updated_at=NOW,
        place=ev.Place(**point(HOME)),
        located=Located(outcome="unresolved"),
        place_checked=True,
        listed=True,
        indexes={"place": ()},
        registry_version=1,
    )
    change = await Follow(BY_POINT, INDEXES.place, SetClock()).recheck(state)
    assert change is not None
    assert (change.state.protected, change.state.listed) == (True, False)
