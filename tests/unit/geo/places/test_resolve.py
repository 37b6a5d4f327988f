"""Resolving a place: what counts, what is doubted, what is said when nothing helps."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.geo.addresses.domain.gazetteer import KnownAddress
from direct311.geo.addresses.domain.municipalities import Gazette
from direct311.geo.boundaries.adapters.shapes import ShapeBoundaries
from direct311.geo.places.domain import LocatedRequest
from direct311.geo.places.handlers.requests import LocateRequest, expired
from direct311.geo.places.handlers.resolve import Resolver
from direct311.schemas import Event
from direct311.schemas import events as ev
from direct311.schemas.events import Place
from tests.support.geo import At, resolver_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
POLICY = ev.PolicyAgreement(version="2024-01", agreed="accepted")
HIALEAH = (25.8699, -80.3029)


@pytest.fixture
def resolver(packaged: ShapeBoundaries) -> Resolver:
    known = [KnownAddress("4600 W 4TH AVE", 25.8651, -80.2915, "33012", "Hialeah")]
    return resolver_of(lambda: packaged, known)


def test_a_point_is_placed_in_every_layer(resolver: Resolver) -> None:
    found = resolver.resolve(Place(latitude=HIALEAH[0], longitude=HIALEAH[1]))
    assert (found.outcome, found.method, found.municipality) == ("resolved", "point", "Hialeah")
    assert found.zip_code == "33012"
    assert found.commission_district is not None
    assert found.approximate
    assert found.confidence == 0.995
    assert found.boundary_sets["municipality"].startswith("census-2019+")


def test_coordinates_win_over_an_address_that_contradicts_them(resolver: Resolver) -> None:
    alone = resolver.resolve(Place(latitude=HIALEAH[0], longitude=HIALEAH[1]))
    both = resolver.resolve(
        Place(latitude=HIALEAH[0], longitude=HIALEAH[1], address="9967 SW 153 st")
    )
    assert both.municipality == "Hialeah"
    assert both.address == "9967 SW 153RD ST"
    assert both.confidence < alone.confidence
    assert both.reason is not None
    assert both.reason.startswith("address and coordinates are 27")


def test_an_address_that_agrees_takes_nothing_away(resolver: Resolver) -> None:
    found = resolver.resolve(
        Place(latitude=25.6275, longitude=-80.3556, address="9967 SW 153RD ST, Miami, FL")
    )
    assert (found.reason, found.address) == (None, "9967 SW 153RD ST")


def test_a_known_address_comes_before_the_grid(resolver: Resolver) -> None:
    found = resolver.resolve(Place(address="4600 west 4 avenue"))
    assert (found.method, found.latitude, found.longitude) == ("gazetteer", 25.8651, -80.2915)
    neighbour = resolver.resolve(Place(address="4640 W 4TH AVE"))
    assert (neighbour.method, neighbour.latitude) == ("gazetteer", 25.8651)
    assert neighbour.confidence < found.confidence


def test_a_numbered_street_is_placed_by_the_grid(resolver: Resolver) -> None:
    found = resolver.resolve(Place(address="9967 SW 153rd St, Miami FL 33157"))
    assert (found.outcome, found.method, found.unincorporated) == ("resolved", "grid", True)
    assert found.latitude == pytest.approx(25.6275, abs=0.003)
    assert found.longitude == pytest.approx(-80.3556, abs=0.003)
    assert found.zip_code == "33157"


def test_a_zip_code_that_does_not_fit_the_number_is_believed(resolver: Resolver) -> None:
    found = resolver.resolve(Place(address="9967 NW 153RD ST, 33034"))
    assert (found.method, found.zip_code) == ("zip", "33034")
    assert found.confidence < 0.85


def test_a_named_street_is_placed_by_its_zip_code(resolver: Resolver) -> None:
    found = resolver.resolve(Place(address="7995 KINGS CREEK DR", zip_code="33143-1111"))
    assert (found.method, found.reason) == ("zip", "placed by the ZIP code alone")
    assert found.address == "7995 KINGS CREEK DR"


def test_a_city_says_something_only_where_its_mail_is_its_own(resolver: Resolver) -> None:
    gables = resolver.resolve(Place(address="169 MIRACLE MILE, Coral Gables"))
    assert (gables.method, gables.municipality) == ("city", "Coral Gables")
    assert gables.latitude is None
    assert resolver.resolve(Place(address="1000 Brickell Ave, Miami FL")).outcome == "unresolved"


def test_a_stated_municipality_is_taken_at_its_word(resolver: Resolver) -> None:
    found = resolver.resolve(Place(municipality="CIty_of_Sunny_Isles_Beach"))
    assert (found.method, found.municipality) == ("city", "Sunny Isles Beach")
    county = resolver.resolve(Place(municipality="Miami_Dade_County"))
    assert (county.municipality, county.unincorporated) == (None, True)


def test_another_municipality_at_the_point_than_was_stated_is_said(resolver: Resolver) -> None:
    found = resolver.resolve(Place(latitude=HIALEAH[0], longitude=HIALEAH[1], municipality="Doral"))
    assert found.municipality == "Hialeah"
    assert found.reason == "the municipality named is not the one at this position"
    assert found.confidence < 0.7


@pytest.mark.parametrize(
    ("place", "outcome", "reason"),
    [
        (Place(), "unresolved", "neither coordinates nor an address were given"),
        (Place(address="Maria Perez"), "unresolved", "address: not an address"),
        (Place(address="1000 Brickell Ave"), "unresolved", "address: neither the grid"),
        (Place(zip_code="99999"), "unresolved", "address: the ZIP code is not one"),
        (Place(latitude=25.8), "unresolved", "neither coordinates nor an address were given"),
        (Place(latitude=0.0, longitude=0.0), "unresolved", "neither coordinates nor an address"),
        (Place(latitude=-80.3029, longitude=25.8699), "unresolved", "latitude and longitude look"),
        (Place(latitude=26.12, longitude=-80.14), "outside", "the coordinates lie outside"),
    ],
)
def test_what_cannot_be_resolved_says_why(
    place: Place, outcome: str, reason: str, resolver: Resolver
) -> None:
    found = resolver.resolve(place)
    assert found.outcome == outcome
    assert found.reason is not None
    assert found.reason.startswith(reason)
    assert found.municipality is None
    assert not found.unincorporated


def test_a_name_in_the_address_field_goes_nowhere(resolver: Resolver) -> None:
    for place in (
        Place(address="Maria Perez"),
        Place(address="Maria Perez", latitude=HIALEAH[0], longitude=HIALEAH[1]),
        Place(address="Maria Perez", zip_code="33157"),
        Place(address="9967 SW 153RD ST, ask for Maria Perez"),
    ):
        assert "PEREZ" not in str(resolver.resolve(place)).upper()


@pytest.mark.parametrize(
    "place",
    [
        Place(address="1000 Brickell Avenue"),
        Place(address="1000 Brickell Avenue", latitude=26.12, longitude=-80.14),
        Place(address="1000 Brickell Avenue", latitude=-80.3029, longitude=25.8699),
    ],
)
def test_an_address_is_said_as_it_was_read_also_where_nobody_knows_where_it_lies(
    place: Place, resolver: Resolver
) -> None:
    found = resolver.resolve(place)
    assert found.outcome != "resolved"
    assert found.address == "1000 BRICKELL AVE"


def test_without_boundaries_nothing_is_guessed(gazette: Gazette) -> None:
    empty = ShapeBoundaries([], gazette.unincorporated)
    bare = resolver_of(lambda: empty)
    found = bare.resolve(Place(latitude=HIALEAH[0], longitude=HIALEAH[1]))
    assert (found.outcome, found.reason) == ("unresolved", "no boundaries are loaded")
    found = bare.resolve(Place(address="9967 southwest 153 street", latitude=25.6, longitude=-80.4))
    assert (found.outcome, found.address) == ("unresolved", "9967 SW 153RD ST")
    assert bare.resolve(Place(address="9967 SW 153RD ST")).outcome == "unresolved"


@given(
    st.none() | st.floats(-90, 90),
    st.none() | st.floats(-180, 180),
    st.none() | st.text(max_size=80),
    st.none() | st.text(max_size=10),
    st.none() | st.text(max_size=30),
)
def test_no_place_makes_it_raise(
    latitude: float | None,
    longitude: float | None,
    address: str | None,
    zip_code: str | None,
    municipality: str | None,
) -> None:
    place = Place(
        latitude=latitude,
        longitude=longitude,
        address=address,
        zip_code=zip_code,
        municipality=municipality,
    )
    found = STANDALONE.resolve(place)
    assert (found.outcome == "unresolved") == (found.confidence == 0.0)
    assert (found.outcome == "unresolved") <= (found.reason is not None)


STANDALONE = resolver_of(lambda: ShapeBoundaries([], "Unincorporated Miami-Dade"))


def created(place: Place, version: int = 1) -> Event[ev.RequestCreated]:
    data = ev.RequestCreated(
        record_id="r-1",
        version=version,
        jurisdiction_id="miamidade",
        service_code="POTHOLE",
        received_at=NOW,
        place=place,
        policy=POLICY,
    )
    return Event("e-1", "/direct311/intake", "r-1", NOW, data)


def updated(
    place: Place, version: int, place_version: int, *, protected: bool = False
) -> Event[ev.RequestUpdated]:
    data = ev.RequestUpdated(
        record_id="r-1",
        version=version,
        changed=("place",),
        service_code="POTHOLE",
        status="received",
        updated_at=NOW,
        received_at=NOW,
        place=place,
        place_version=place_version,
        protected=protected,
    )
    return Event("e-2", "/direct311/intake", "r-1", NOW, data)


@pytest.fixture
def handlers(resolver: Resolver) -> LocateRequest:
    return LocateRequest(resolver, At(NOW))


@pytest.mark.anyio
async def test_a_new_request_is_located(handlers: LocateRequest) -> None:
    change = await handlers.created(
        LocatedRequest(record_id="r-1"), created(Place(latitude=25.8699, longitude=-80.3029))
    )
    assert change is not None
    (outgoing,) = change.events
    assert isinstance(outgoing.data, ev.LocationResolved)
    assert (outgoing.data.record_id, outgoing.data.version) == ("r-1", 1)
    assert (outgoing.data.place_version, outgoing.data.municipality) == (1, "Hialeah")
    assert change.state.location == outgoing.data.model_copy(update={"read": None})


@pytest.mark.anyio
async def test_readings_are_said_and_not_kept(handlers: LocateRequest) -> None:
    place = Place(address="4521 gate code 1234 St", latitude=25.8699, longitude=-80.3029)
    change = await handlers.created(LocatedRequest(record_id="r-1"), created(place))
    assert change is not None
    (outgoing,) = change.events
    assert isinstance(outgoing.data, ev.LocationResolved)
    assert outgoing.data.read is not None
    assert (outgoing.data.read.known, outgoing.data.read.readings[1]) == (
        False,
        "4521 GATECODE",
    )
    assert change.state.location is not None
    assert change.state.location.read is None


@pytest.mark.anyio
async def test_a_moved_request_is_located_anew_and_never_moved_back(
    handlers: LocateRequest,
) -> None:
    moved = await handlers.updated(
        LocatedRequest(record_id="r-1", version=3, place_version=1),
        updated(Place(latitude=25.816, longitude=-80.3576), 4, 2),
    )
    assert moved is not None
    assert isinstance(moved.events[0].data, ev.LocationResolved)
    assert (moved.events[0].data.municipality, moved.events[0].data.version) == ("Doral", 4)
    assert moved.state.place_version == 2
    assert await handlers.updated(moved.state, updated(Place(), 5, 2)) is None
    assert await handlers.created(moved.state, created(Place())) is None


@pytest.mark.anyio
async def test_of_a_protected_request_the_municipality_alone_is_kept(
    handlers: LocateRequest,
) -> None:
    first = await handlers.created(
        LocatedRequest(record_id="r-1"),
        created(Place(latitude=25.8699, longitude=-80.3029, address="4600 W 4TH AVE")),
    )
    assert first is not None
    change = await handlers.updated(first.state, updated(Place(), 2, 1, protected=True))
    assert change is not None
    assert change.events == ()
    kept = change.state.location
    assert kept is not None
    assert (kept.municipality, kept.latitude, kept.longitude) == ("Hialeah", None, None)
    assert (kept.address, kept.zip_code, kept.commission_district) == (None, None, None)
    assert await handlers.updated(change.state, updated(Place(), 3, 1, protected=True)) is None


@pytest.mark.anyio
async def test_an_expired_record_stays(handlers: LocateRequest) -> None:
    data = ev.RecordExpired(
        record_id="r-1",
        version=9,
        items=("94",),
        decided_by="94",
        trigger="closed",
        trigger_on=NOW.date(),
        eligible_on=NOW.date(),
        schedule_version="1",
    )
    state = LocatedRequest(record_id="r-1", version=2, place_version=1)
    change = await expired(state, Event("e-3", "/direct311/retention", "r-1", NOW, data))
    assert change is not None
    assert change.state == state.model_copy(update={"expired": True})
    assert change.events == ()


@pytest.mark.anyio
@pytest.mark.parametrize("created_first", [True, False])
async def test_a_protected_request_is_located_at_its_new_place_and_then_reduced(
    handlers: LocateRequest, created_first: bool
) -> None:
    """Until it is checked, a place comes as it was given; the topics have no common order."""
    state = LocatedRequest(record_id="r-1")
    first = created(Place(latitude=25.8699, longitude=-80.3029))
    moved = updated(Place(latitude=25.816, longitude=-80.3576), 4, 2, protected=True)
    for each in (first, moved) if created_first else (moved, first):
        known = isinstance(each.data, ev.RequestCreated)
        handle: Any = handlers.created if known else handlers.updated
        change = await handle(state, each)
        state = change.state if change is not None else state
    assert state.place_version == 2
    assert state.location is not None
    assert (state.location.place_version, state.location.municipality) == (2, "Doral")
    checked = updated(Place(municipality="Doral"), 5, 2, protected=True)
    reduced = await handlers.updated(state, checked)
    assert reduced is not None
    assert reduced.events == ()
    assert reduced.state.location is not None
    assert (reduced.state.location.municipality, reduced.state.location.latitude) == ("Doral", None)
