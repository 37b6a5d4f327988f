"""Geo resolves a place again because other boundary sets came into force."""

from typing import Any

import pytest

from direct311.intake.lifecycle.handlers import Follow
from direct311.intake.request import ServiceRequest
from direct311.runtime.messaging.state import Change
from direct311.schemas import Event
from direct311.schemas import events as ev
from tests.support.intake import InMemoryRegistry
from tests.support.runtime import NOW, SetClock
from tests.unit.intake.lifecycle.test_follow import (
    BESIDE,
    BY_ADDRESS,
    INDEXES,
    LINE,
    NOBODY,
    TYPE,
    point,
)

pytestmark = pytest.mark.anyio
READ = ev.AddressRead(known=True, readings=(LINE,))


def said(version: int, **found: Any) -> Event[ev.LocationResolved]:
    given = {
        "record_id": "r",
        "version": version,
        "place_version": 1,
        "outcome": "resolved",
        "resolved_at": NOW,
        **point(BESIDE),
        **found,
    }
    data = ev.LocationResolved.model_validate(given)
    return Event("0b8f2f62-4d0c-5c9b-8a44-9a4d8a8f3a51", "/geo", "r", NOW, data)


async def told(
    registry: InMemoryRegistry, *events: Event[ev.LocationResolved]
) -> tuple[ServiceRequest, list[Change[ServiceRequest] | None]]:
    state = ServiceRequest(
        record_id="r",
        version=1,
        service_code=TYPE.service_code,
        received_at=NOW,
        updated_at=NOW,
        place=ev.Place(address="a reporter's own words", **point(BESIDE)),
    )
    follow = Follow(registry, INDEXES.place, SetClock())
    changes = []
    for event in events:
        change = await follow.located(state, event)
        changes.append(change)
        state = change.state if change else state
    return state, changes


FIRST = said(1, municipality="Miami", zip_code="33176", address=LINE, read=READ)
AGAIN = said(2, municipality="Coral Gables", zip_code="33143", because="boundaries")


async def test_the_areas_are_new_and_the_address_is_as_it_was() -> None:
    state, changes = await told(NOBODY, FIRST, AGAIN)
    assert state.located is not None
    assert (state.located.municipality, state.located.zip_code) == ("Coral Gables", "33143")
    assert (state.located.address, state.located.address_known) == (LINE, True)
    assert state.read == READ
    last = changes[-1]
    assert last is not None
    (out,) = last.events
    assert isinstance(out.data, ev.RequestUpdated)
    assert (out.data.changed, out.data.place_version) == (("place_checked",), 1)


async def test_a_home_stays_protected_though_geo_repeats_no_readings() -> None:
    state, _ = await told(BY_ADDRESS, FIRST, AGAIN)
    assert state.protected
    assert BY_ADDRESS.hashes & set(state.indexes["place"])


async def test_it_says_nothing_of_a_place_that_was_never_read() -> None:
    state, changes = await told(NOBODY, AGAIN)
    assert changes == [None]
    assert (state.located, state.place_checked) == (None, False)


async def test_it_says_nothing_of_an_earlier_place() -> None:
    state, changes = await told(NOBODY, FIRST, said(3, place_version=7, because="boundaries"))
    assert changes[-1] is None
    assert state.located is not None
    assert state.located.municipality == "Miami"
