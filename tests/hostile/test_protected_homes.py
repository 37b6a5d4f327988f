"""Somebody writes a protected home otherwise, so that it shows; somebody writes into an address
what is none.

Each way of writing goes through geo and intake as they run, from the custodian's entry to what the
public and the department see; only the stores are in memory.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

from direct311.geo.addresses.adapters import data_files
from direct311.geo.addresses.domain.gazetteer import KnownAddress
from direct311.geo.boundaries.adapters.packaged import packaged_county
from direct311.geo.boundaries.adapters.shapes import ShapeBoundaries
from direct311.geo.places.api import router
from direct311.geo.places.domain import LocatedRequest
from direct311.geo.places.handlers.requests import LocateRequest
from direct311.geo.places.handlers.resolve import Resolver
from direct311.intake.catalogue.adapters import load_catalogue
from direct311.intake.indexes.adapters.keyed import KeyedIndexes
from direct311.intake.lifecycle.handlers import Follow
from direct311.intake.open311.wire import views
from direct311.intake.protection.adapters.geo import GeoAddresses
from direct311.intake.protection.handlers.address_index import AddressIndex
from direct311.intake.protection.handlers.protect import Protect
from direct311.intake.request import ServiceRequest
from direct311.runtime.access.rules import Caller
from direct311.runtime.clock import TimeOrderedIds
from direct311.runtime.peers import HttpError
from direct311.schemas import Event
from direct311.schemas import events as ev
from tests.support.county import County, until
from tests.support.geo import At, resolver_of
from tests.support.intake import InMemoryRegistry, index_keys
from tests.support.runtime import NOW, SetClock
from tests.support.submissions import ENFORCEMENT, submission

pytestmark = pytest.mark.anyio

POLICY = ev.PolicyAgreement(version="2024-01", agreed="accepted")
TYPE = load_catalogue().content.services[0]
ELSEWHERE = (25.9003, -80.2239)
"""A pin that is on none of the homes."""

NUMBERED = "8942 SW 142 AVE, Miami, FL 33186"
NAMED = "1216 San Miguel Ave, Coral Gables, FL 33134"
LEON = "1500 Ponce de Leon Blvd, Coral Gables, FL 33134"
IRISH = "742 O'Neil St, Miami, FL 33133"
SAINT = "300 St. Charles Ave, Miami, FL 33137"
PERSON = "75 John F Kennedy Cswy, North Bay Village, FL 33141"
KENDALL = "8900 N Kendall Dr, Miami, FL 33176"
OCHO = "1600 SW 8 St, Miami, FL 33135"

VARIANTS: Mapping[str, tuple[str, str]] = {
    "ordinal word apart": (NUMBERED, "8942 SW 142 ND AVE"),
    "ordinal word twice": (NUMBERED, "8942 SW 142ND ND AVE"),
    "letter behind the number": (NUMBERED, "8942A SW 142 AVE"),
    "letter after a hyphen": (NUMBERED, "8942-B SW 142 AVE"),
    "half a number": (NUMBERED, "8942 1/2 SW 142 AVE"),
    "no direction": (NUMBERED, "8942 142 AVE, 33186"),
    "half a direction": (NUMBERED, "8942 S 142 AVE"),
    "direction twice": (NUMBERED, "8942 SW 142 AVE SW"),
    "direction behind": (NUMBERED, "8942 142 AVE SW"),
    "no street word": (NUMBERED, "8942 SW 142"),
    "two street words": (NUMBERED, "8942 SW 142 AVE RD"),
    "another street word": (NUMBERED, "8942 SW 142 STREET"),
    "street word misspelled": (NUMBERED, "8942 SW 142 AVNEUEE 33186"),
    "Spanish": (NUMBERED, "8942 Avenida 142 Suroeste"),
    "Spanish order": (NUMBERED, "Avenida 142 SW, No. 8942"),
    "Creole": (NUMBERED, "8942 142 avni sidwès"),
    "French": (NUMBERED, "8942 Rue 142 SW"),
    "number as words": (NUMBERED, "8942 SW One Hundred Forty-Second Avenue"),
    "number as short words": (NUMBERED, "8942 SW one forty two ave"),
    "house as words": (NUMBERED, "Eighty-Nine Forty-Two SW 142 AVE"),
    "all glued": (NUMBERED, "8942SW142AVE"),
    "digits apart": (NUMBERED, "8 9 4 2 SW 1 4 2 AVE"),
    "thousands": (NUMBERED, "8,942 SW 142 AVE"),
    "unit before": (NUMBERED, "Apt 3, 8942 SW 142 AVE"),
    "unit between": (NUMBERED, "8942 #3 SW 142 AVE"),
    "in a sentence": (NUMBERED, "Casa del vecino: 8942 SW 142 AVE"),
    "words between": (NUMBERED, "8942, the blue house, SW 142 AVE"),
    "Cyrillic letters": (NUMBERED, "8942 \u0405W 142 \u0410V\u0415"),
    "wide digits": (NUMBERED, "\uff18\uff19\uff14\uff12 SW \uff11\uff14\uff12 AVE"),
    "Arabic digits": (NUMBERED, "\u0668\u0669\u0664\u0662 SW \u0661\u0664\u0662 AVE"),
    "entities": (NUMBERED, "&#56;942&nbsp;SW 142 AVE"),
    "percent": (NUMBERED, "8942%20SW%20142%20AVE"),
    "letters for digits": (NUMBERED, "8942 SW I42 AVE"),
    "misspelled with ZIP": (NAMED, "1216 San Migel Ave, 33134"),
    "misspelled otherwise": (NAMED, "1216 Sam Miguel Ave 33134"),
    "letters exchanged": (NAMED, "1216 San Miugel Ave"),
    "digits for letters": (NAMED, "1216 San M1guel Ave"),
    "name without street word": (NAMED, "1216 San Miguel, Coral Gables"),
    "name with a direction": (NAMED, "1216 N San Miguel Ave"),
    "name in Spanish order": (NAMED, "Avenida San Miguel 1216, Coral Gables"),
    "name as one word": (NAMED, "1216 Sanmiguel Ave"),
    "name with other words": (NAMED, "1216 Rue San Miguel"),
    "article glued": (LEON, "1500 Ponce DeLeon Blvd"),
    "article left out": (LEON, "1500 Ponce Leon Blvd"),
    "first word alone": (LEON, "1500 Ponce Blvd"),
    "apostrophe left out": (IRISH, "742 Oneil St"),
    "apostrophe as a space": (IRISH, "742 O Neil St"),
    "saint spelled out": (SAINT, "300 Saint Charles Ave"),
    "saint glued": (SAINT, "300 StCharles Ave"),
    "initials with points": (PERSON, "75 J.F. Kennedy Causeway"),
    "initials left out": (PERSON, "75 John Kennedy Cswy"),
    "last name alone": (PERSON, "75 Kennedy Causeway"),
    "number of a named street": (KENDALL, "8900 SW 88 ST"),
    "other name in Spanish": (OCHO, "1600 Calle Ocho"),
    "other name": (OCHO, "1600 Tamiami Trail"),
    "floor before": (NUMBERED, "2nd floor, 8942 SW 142 AVE"),
    "a count before": (NUMBERED, "3 dogs at 8942 SW 142 AVE"),
    "a count before a name": (NAMED, "3 dogs at 1216 San Miguel Ave"),
    "the neighbor before": (NUMBERED, "8940 and 8942 SW 142 AVE"),
    "the neighbor before a name": (NAMED, "1214 & 1216 San Miguel Ave"),
    "two neighbors before": (NUMBERED, "8938, 8940, 8942 SW 142 AVE"),
    "a box before": (NUMBERED, "PO Box 12, 8942 SW 142 AVE"),
    "between two on the street": (NUMBERED, "SW 142 AVE between 8940 and 8942"),
    "behind a crossing": (NUMBERED, "SW 142 AVE & SW 90 ST, 8942"),
    "as a unit": (NUMBERED, "Unit 8942, SW 142 AVE"),
    "as an apartment": (NUMBERED, "Apt 8942 SW 142 AVE"),
    "as a unit behind": (NUMBERED, "SW 142 AVE unit 8942"),
    "as a unit behind a count": (NUMBERED, "1 dog, Unit 8942, SW 142 AVE"),
    "a case before": (NUMBERED, "Case 12345: 8942 SW 142 AVE"),
    "a telephone before": (NUMBERED, "(305) 555-0142, 8942 SW 142 AVE"),
    "a day before": (NUMBERED, "2026-11-30 8942 SW 142 AVE"),
    "a folio before": (NUMBERED, "Folio 30-4022-001-0010 8942 SW 142 AVE"),
    "a ZIP code before": (NUMBERED, "Miami FL 33186, 8942 SW 142 AVE"),
    "an exit before": (NUMBERED, "I-95 exit 12, 8942 SW 142 AVE"),
    "another street before": (NUMBERED, "SW 90 ST, 8942 SW 142 AVE"),
    "eight numbers before": (NUMBERED, "10 11 12 13 14 15 16 17 8942 SW 142 AVE"),
    "eight remarks before": (NUMBERED, "10 a, 11 b, 12 c, 13 d, 14 e, 15 f, 16 g, 8942 SW 142 AVE"),
    "zeros before": (NUMBERED, "00008942 SW 142 AVE"),
    "brackets before": (NUMBERED, "(12, 34) 8942 SW 142 AVE NORTH"),
    "a point before": (NUMBERED, "(25.7065, -80.3740) 8942 SW 142 AVE RD"),
    "a point without brackets before": (NUMBERED, "25.7065, -80.3740 8942 SW 142 AVE"),
    "approximate before": (NUMBERED, "(approx.) 8942 SW 142 AVE"),
    "brackets within": (NUMBERED, "8942 (12, 34) SW 142 AVE"),
    "brackets before a name": (NAMED, "(12, 34) 1216 San Miguel Ave"),
    "wide signs before": (NUMBERED, "\ufdfa" * 250 + " 8942 SW 142 AVE"),
}  # fmt: skip


class Registry(InMemoryRegistry):
    """The protection registry, with what was entered."""

    async def add(self, protection: Any) -> int:
        self.hashes |= set(protection.hashes)
        return self.version


@dataclass(frozen=True)
class Seen:
    """A request as the public sees it, as its department hears of it, and as it is stored."""

    public: dict[str, Any]
    told: ev.Place
    state: ServiceRequest


class GeoAndIntake:
    """Geo and intake, with the registry between them."""

    def __init__(self, resolver: Resolver) -> None:
        self.registry = Registry(version=2)
        self.indexes = KeyedIndexes(1, index_keys(), SetClock())
        self.locate = LocateRequest(resolver, At(NOW))
        self.follow = Follow(self.registry, self.indexes.place, SetClock())
        geo = FastAPI()

        async def intake(_: Request) -> Caller:
            return Caller("svc:intake", roles=("service",), authentication="service")

        geo.include_router(router(resolver, intake))
        http = TestClient(geo)

        async def post(path: str, body: object) -> Any:
            answer = http.post(path, json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()

        peer: Any = SimpleNamespace(post=post)
        self.addresses = GeoAddresses(peer)

    async def enter(self, address: str, point: tuple[float, float] | None = None) -> None:
        async def nothing(*_: object) -> None:
            return None

        vault: Any = SimpleNamespace(authorise=nothing)
        store: Any = self.registry
        protect = Protect(
            store,
            self.indexes,
            self.addresses,
            nothing,
            vault,
            SetClock(),
            TimeOrderedIds(),
            timedelta(0),
            timedelta(days=7),
        )
        caller = Caller("custodian:carla", roles=("custodian",))
        identifiers = {"address": address} if address else {}
        await protect.add(caller, "PR-2026-1", "section 119.071(4)(d), F.S.", identifiers, point)

    async def sent(
        self, place: ev.Place, own_address: str | None = None, addresses: Any = None
    ) -> Seen:
        """`addresses`: geo as it answers while this is sent."""
        indexes, unread_at = {}, None
        if own_address is not None:
            home = await AddressIndex(addresses or self.addresses, self.indexes)(own_address)
            indexes["home"] = home.values
            unread_at = None if home.settled else NOW
        state = ServiceRequest(
            record_id="r",
            version=1,
            service_code=TYPE.service_code,
            received_at=NOW,
            updated_at=NOW,
            place=place,
            indexes=indexes,
            home_unread_at=unread_at,
        )
        created = ev.RequestCreated(
            record_id="r",
            version=1,
            jurisdiction_id="miamidade",
            service_code=TYPE.service_code,
            received_at=NOW,
            place=place,
            policy=POLICY,
        )
        found = await self.locate.created(LocatedRequest(record_id="r"), _event("c", created))
        assert found is not None
        located: Any = found.events[0].data
        change = await self.follow.located(state, _event("l", located))
        assert change is not None
        told: Any = change.events[0].data
        shown = views.request(change.state, TYPE, None, extensions=True)
        return Seen(dict(shown), told.place, change.state)


def _event(number: str, data: Any) -> Event[Any]:
    return Event(f"0b8f2f62-4d0c-5c9b-8a44-{number * 12}", "/test", "r", NOW, data)


@pytest.fixture(scope="module")
def boundaries() -> ShapeBoundaries:
    return ShapeBoundaries(packaged_county(), data_files.gazette().unincorporated)


@pytest.fixture
def services(boundaries: ShapeBoundaries) -> GeoAndIntake:
    return GeoAndIntake(resolver_of(lambda: boundaries))


def _shows_no_place(seen: Seen) -> None:
    assert seen.state.protected
    assert not seen.state.listed
    assert (seen.public["lat"], seen.public["long"], seen.public["zipcode"]) == (None,) * 3
    municipality = seen.told.municipality
    assert seen.told == ev.Place(municipality=municipality)
    assert seen.public["address"] in (None, municipality or "Unincorporated Miami-Dade")


@pytest.mark.policy("P8")
@pytest.mark.parametrize(("home", "written"), VARIANTS.values(), ids=VARIANTS)
async def test_a_protected_home_is_known_however_it_is_written(
    home: str, written: str, services: GeoAndIntake
) -> None:
    await services.enter(home)
    # Without a pin, and with one far off.
    _shows_no_place(await services.sent(ev.Place(address=written)))
    pin = {"latitude": ELSEWHERE[0], "longitude": ELSEWHERE[1]}
    _shows_no_place(await services.sent(ev.Place(address=written, **pin)))


@pytest.mark.policy("P8")
@pytest.mark.parametrize(("home", "written"), VARIANTS.values(), ids=VARIANTS)
async def test_a_protected_reporter_is_known_however_the_own_address_is_written(
    home: str, written: str, services: GeoAndIntake
) -> None:
    await services.enter(home)
    pin = {"latitude": ELSEWHERE[0], "longitude": ELSEWHERE[1]}
    _shows_no_place(await services.sent(ev.Place(**pin), own_address=written))


@pytest.mark.policy("P8")
@pytest.mark.parametrize("written", ["8942-SW-142nd-AVE", "8942 SW 142 ND AVE", "8942_142_AVE"])
async def test_an_address_id_is_read_too(written: str, services: GeoAndIntake) -> None:
    await services.enter(NUMBERED)
    _shows_no_place(await services.sent(ev.Place(address_id=written)))


@pytest.mark.policy("P8")
async def test_geos_own_point_counts_wherever_the_pin_is(boundaries: ShapeBoundaries) -> None:
    """Of who is known by a point alone, and of a request or a reporter with an address alone."""
    home = (25.67170, -80.37999)
    known = [KnownAddress("8942 SW 142ND AVE", *home, "33186")]
    services = GeoAndIntake(resolver_of(lambda: boundaries, known))
    await services.enter("", home)
    pin = {"latitude": ELSEWHERE[0], "longitude": ELSEWHERE[1]}
    _shows_no_place(await services.sent(ev.Place(address="8942 SW 142 AVE", **pin)))
    _shows_no_place(await services.sent(ev.Place(**pin), own_address="8942 SW 142 AVE"))
    # And of an entry that has an address and a point of its own.
    other = GeoAndIntake(resolver_of(lambda: boundaries, known))
    await other.enter("8942 SW 142 AVE", ELSEWHERE)
    _shows_no_place(await other.sent(ev.Place(latitude=home[0], longitude=home[1])))


async def _never(*_: object) -> object:
    return await asyncio.Event().wait()


def _failing(error: Exception) -> Any:
    async def fail(*_: object) -> object:
        raise error

    return fail


GEO_IS_AWAY: Mapping[str, Any] = {
    "no answer": _failing(HttpError(None)),
    "it is slow": _never,
    "it fails": _failing(HttpError(500)),
    "it is too busy": _failing(HttpError(429)),
    "it is starting": _failing(HttpError(503)),
    "a gateway gives up": _failing(HttpError(504)),
    "it knows nobody": _failing(HttpError(401)),
    "it has moved": _failing(HttpError(404)),
}


@pytest.mark.policy("P8")
@pytest.mark.parametrize("post", GEO_IS_AWAY.values(), ids=GEO_IS_AWAY)
async def test_while_geo_is_stalled_nobody_sees_where_a_reporter_may_live(
    post: Any, services: GeoAndIntake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("direct311.intake.protection.handlers.address_index.PATIENCE", 0.01)
    peer: Any = SimpleNamespace(post=post)
    away = GeoAddresses(peer)
    await services.enter(NUMBERED)
    pin = ev.Place(latitude=ELSEWHERE[0], longitude=ELSEWHERE[1])
    seen = await services.sent(pin, "8942 S.W. 142nd Avenue apt 4", away)
    _shows_no_place(seen)
    # Nor by another change of the registry, before the address is read.
    again = await services.follow.recheck(seen.state.model_copy(update={"registry_version": 1}))
    assert again is not None
    assert again.state.protected
    # Whoever is not protected shows once it is.
    other = (await services.sent(pin, "1 NW 1 ST", away)).state
    assert (other.protected, other.listed) == (True, False)
    read = await AddressIndex(services.addresses, services.indexes)("1 NW 1 ST")
    fresh = {"indexes": {**other.indexes, "home": read.values}, "home_unread_at": None}
    change = services.follow.compare(other, other.model_copy(update=fresh))
    assert (change.state.protected, change.state.listed) == (False, True)
    told: Any = [each.data for each in change.events]
    assert [each.protected for each in told] == [False]


POINTS = {
    "in brackets": "(25.67170, -80.37999)",
    "bare": "25.67170, -80.37999",
    "without a sign": "25.67170 80.37999",
    "behind words": "the house at 25.67170, -80.37999, Miami",
    "exchanged": "-80.37999, 25.67170",
    "with hemispheres": "N 25.67170 W 80.37999",
    "with degrees": "25.67170\u00b0 N, 80.37999\u00b0 W",
    "with commas": "25,67170; -80,37999",
    "wide digits": "\uff12\uff15.\uff16\uff17\uff11\uff17\uff10, -80.37999",
    "minutes and seconds": "25\u00b040'18.1\"N 80\u00b022'48.0\"W",
    "minutes": "25\u00b0 40.302' N, 80\u00b0 22.799' W",
    "after another": "25.9003, -80.2239 or 25.67170, -80.37999",
    "before an address": "25.67170, -80.37999 (1 NW 1 ST)",
}


@pytest.mark.policy("P8")
@pytest.mark.parametrize("written", POINTS.values(), ids=POINTS)
async def test_coordinates_in_words_are_a_pin(written: str, services: GeoAndIntake) -> None:
    """However far off the other pin is, for the place and for the reporter's own address."""
    await services.enter("", (25.67170, -80.37999))
    pin = {"latitude": ELSEWHERE[0], "longitude": ELSEWHERE[1]}
    _shows_no_place(await services.sent(ev.Place(address=written, **pin)))
    _shows_no_place(await services.sent(ev.Place(**pin), own_address=written))


@pytest.mark.parametrize(
    "written",
    ["8944 SW 142 AVE", "8942 SW 143 AVE", "1216 San Marco Ave", "1218 San Miguel Ave",
     "1500 Brickell Ave", "742 Main St", "SW 142 AVE & SW 90 ST"],
)  # fmt: skip
async def test_the_neighbors_are_not_hidden(written: str, services: GeoAndIntake) -> None:
    for home in (NUMBERED, NAMED, LEON, IRISH):
        await services.enter(home)
    seen = await services.sent(ev.Place(address=written))
    assert not seen.state.protected
    seen = await services.sent(
        ev.Place(latitude=ELSEWHERE[0], longitude=ELSEWHERE[1]), own_address=written
    )
    assert not seen.state.protected


WORDS = (
    "4521 gate code 1234 St", "4521 SW 142 ZORANEALE AVE", "4521 Zora Neale Dr",
    "4521 ask for Zora Blvd", "4521 SW 5 gate1234 ST", "4521 Officer Zora Ct",
    "4521 code 9 9 8 8 Way", "4521 Alarm Off After Nine Ln", "4521 key under mat rd",
    "4521 Zoranealehouse Ter", "4521 NW Zora 7 St", "4521 calle de la oficial Zora",
    "4521 Avenida Zora", "4521 Rue Zora", "4521 Zora's Place", "4521 dog bites Path",
    "4521 judge zora n circle", "4521 ZORA & NEALE", "Zora St & Neale Ave",
    "4521 Via Zora", "4521 Detective Neale Pkwy", "4521 PIN4477 Plaza", "4521 Zora Hwy",
    "4521 NE 700 Zora St",
)  # fmt: skip


@pytest.mark.policy("P8", "P13")
@pytest.mark.parametrize("words", WORDS)
async def test_words_that_geo_does_not_know_are_never_public(
    words: str, services: GeoAndIntake
) -> None:
    for pin in ({"latitude": 25.7617, "longitude": -80.1918}, {"zip_code": "33130"}):
        seen = await services.sent(ev.Place(address=words, **pin))
        assert not seen.state.protected
        shown = str(seen.public).lower()
        typed = {word for word in words.lower().replace("'", " ").split() if len(word) > 2}
        # The place shows, in words of geo's own.
        assert seen.public["address"]
        assert not {word for word in typed if word in str(seen.public["address"]).lower()}
        assert "zora" not in shown
        # Who works there needs them.
        assert seen.told.address == words


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("9967 Southwest 153rd Street, ask for Zora", "9967 SW 153RD ST"),
        ("9967B SW 153 ST", "9967 SW 153RD ST"),
        ("9967 SW 153 RD ST APT 4, Miami", "9967 SW 153RD ST"),
        ("1860 west flagler st", "1860 W FLAGLER ST"),
        ("1860 W Flagller St", "1860 W FLAGLER ST"),
    ],
)
async def test_an_address_on_a_known_street_shows_as_geo_writes_it(
    written: str, shown: str, services: GeoAndIntake
) -> None:
    seen = await services.sent(ev.Place(address=written))
    assert seen.public["address"] == shown


async def test_a_known_address_far_from_the_pin_is_not_the_places(services: GeoAndIntake) -> None:
    """It may be where the reporter lives."""
    seen = await services.sent(
        ev.Place(address="9967 SW 153 ST", latitude=ELSEWHERE[0], longitude=ELSEWHERE[1])
    )
    assert "153" not in str(seen.public["address"])
    assert seen.told.address == "9967 SW 153 ST"


LIVE_TYPE = "ANI-TETHERED-DOG"
LIVE_HOME = "11720 SW 97 TER, Miami, FL 33186"


@pytest.mark.e2e
@pytest.mark.policy("P8")
async def test_on_the_running_system_no_list_page_or_topic_shows_the_home(county: County) -> None:
    order = {"reference": "PR-77", "citation": "section 119.071(4)(d), F.S.", "address": LIVE_HOME}
    await county.post("intake", "/v1/protections", order, "custodian", "carla")
    places = [
        {"address_string": "11720 SW 97 TH TERR 33186"},
        {"address_string": "11720B 97 Terraza, 33186"},
        {"address_string": "Terraza 97 SW No. 11720", "lat": "25.71", "long": "-80.37"},
    ]
    hidden = [
        await county.accepted(submission(770 + number, LIVE_TYPE, place))
        for number, place in enumerate(places)
    ]
    own = {"lat": "25.64", "long": "-80.42", "attribute[REPORTER_ADDRESS]": "11720-A sw 97th"}
    hidden.append(await county.accepted(submission(780, ENFORCEMENT, own)))
    words = {"address_string": "4521 gate code 1234 St", "lat": "25.70", "long": "-80.40"}
    open_ = await county.accepted(submission(781, LIVE_TYPE, words))
    await county.routed(open_)

    async def listed() -> set[str]:
        answers = [
            await county.open311("requests.json", service_code=code, page_size="1000")
            for code in (LIVE_TYPE, ENFORCEMENT)
        ]
        return {each["service_request_id"] for answer in answers for each in answer.json()}

    async def is_listed() -> bool:
        return open_ in await listed()

    await until(is_listed, "an open request is in the list")
    shown = await county.request(open_)
    assert shown["lat"] is not None
    assert "1234" not in shown["address"]
    for record_id in hidden:
        job = await county.routed(record_id)
        assert {key for key, value in job["routed"]["place"].items() if value} <= {"municipality"}
        (copy,) = await county.received(job["routed"]["department"], record_id)
        assert {key for key, value in copy["place"].items() if value} <= {"municipality"}
        page = await county.request(record_id)
        assert (page["lat"], page["long"], page["zipcode"]) == (None, None, None)
        assert "11720" not in str(page)
        assert "11720" not in str(copy)
    assert not (await listed() & set(hidden))
