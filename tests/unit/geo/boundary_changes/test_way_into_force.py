"""A boundary set on its way into force: two people, one write, and what follows for requests."""

from datetime import timedelta

import pytest

from direct311.geo.boundaries.adapters import checks
from direct311.geo.boundaries.adapters.checks import check
from direct311.geo.boundaries.adapters.shapes import read_boundary_set
from direct311.geo.boundaries.domain import BoundaryError, BoundarySet
from direct311.geo.boundary_changes.domain import REACHED_AFTER, BoundaryVersion
from direct311.runtime.errors import RefusedError
from tests.unit.geo.boundaries.test_boundaries import Ring, collection, square
from tests.unit.geo.boundary_changes.keeping import HERE, Keeping, towns

pytestmark = pytest.mark.anyio
WHY = "The survey was redrawn by mistake."


@pytest.fixture
async def geo() -> Keeping:
    return await Keeping().begin()


async def refused(geo: Keeping, found: BoundaryVersion, by: str, shown: str | None = None) -> str:
    with pytest.raises(RefusedError) as info:
        await geo.decisions.approve(found.set_id, shown or found.hash or "", by, None)
    return info.value.code


async def test_a_proposed_set_changes_nothing(geo: Keeping) -> None:
    found = await geo.proposed(towns("New Town"))
    assert (found.state, found.replaces) == ("proposed", towns("Old Town").version)
    assert geo.municipality() == "Old Town"
    again = await geo.decisions.propose(towns("New Town"), (), "somebody else")
    assert again.proposed_by == "adam"
    assert geo.acts.said == [("proposed", ("adam",))]


async def test_another_person_puts_exactly_what_was_shown_in_force(geo: Keeping) -> None:
    found = await geo.proposed(towns("New Town"))
    assert await refused(geo, found, "adam") == "same_person"
    assert await refused(geo, found, "ADAM ") == "same_person"
    assert await refused(geo, found, "olga", "0" * 64) == "set_hash"
    assert geo.municipality() == "Old Town"
    done = await geo.approved(found)
    assert (done.state, done.approved_by) == ("in_force", "olga")
    assert geo.municipality() == "New Town"
    assert (await geo.approved(found)).revision == done.revision
    assert geo.acts.said == [
        ("proposed", ("adam",)),
        ("approved", ("adam", "olga")),
        ("in_force", ("adam", "olga")),
    ]
    assert [each.act for each in done.history] == ["proposed", "approved", "in_force"]


async def test_nothing_is_decided_while_the_log_is_away(geo: Keeping) -> None:
    found = await geo.proposed(towns("New Town"))
    geo.acts.away = True
    assert await refused(geo, found, "olga") == "audit_unavailable"
    assert (await geo.decisions.one(found.set_id)).state == "proposed"
    assert geo.municipality() == "Old Town"


async def test_what_was_not_compared_with_the_sets_in_force_is_not_approved(geo: Keeping) -> None:
    found = await geo.decisions.propose(towns("New Town"), (), "adam")
    assert await refused(geo, found, "olga", "0" * 64) == "not_compared"
    other = await geo.proposed(towns("Other Town"))
    await geo.compare.step()
    shown = await geo.decisions.one(found.set_id)
    await geo.approved(other)
    assert await refused(geo, shown, "olga") == "not_compared"
    await geo.compare.step()
    now = await geo.decisions.one(found.set_id)
    assert now.replaces == towns("Other Town").version
    assert (await geo.approved(now)).state == "in_force"
    assert (await geo.decisions.one(other.set_id)).state == "superseded"


async def test_a_set_comes_into_force_on_its_day(geo: Keeping) -> None:
    found = await geo.proposed(towns("New Town"))
    since = geo.clock.now() + timedelta(days=3)
    assert (await geo.approved(found, since=since)).state == "approved"
    await geo.decisions.step()
    assert geo.municipality() == "Old Town"
    geo.clock.at = since
    await geo.decisions.step()
    assert geo.municipality() == "New Town"
    assert (await geo.decisions.one(found.set_id)).in_force_at == since


async def test_a_set_whose_day_comes_beside_another_is_approved_again(geo: Keeping) -> None:
    found = await geo.proposed(towns("New Town"))
    since = geo.clock.now() + timedelta(days=3)
    await geo.approved(found, since=since)
    await geo.approved(await geo.proposed(towns("Other Town")))
    geo.clock.at = since
    await geo.decisions.step()
    returned = await geo.decisions.one(found.set_id)
    assert (returned.state, returned.approved_by) == ("proposed", None)
    assert geo.municipality() == "Other Town"


async def test_a_rejected_set_may_be_proposed_again(geo: Keeping) -> None:
    found = await geo.proposed(towns("New Town"))
    rejected = await geo.decisions.reject(found.set_id, "olga", WHY)
    assert (rejected.state, rejected.history[-1].reason) == ("rejected", WHY)
    assert await refused(geo, found, "olga") == "boundary_state"
    again = await geo.proposed(towns("New Town"), by="alma")
    assert (again.state, again.proposed_by) == ("proposed", "alma")
    assert [each.act for each in again.history] == ["proposed", "rejected", "proposed"]


async def test_a_set_is_rolled_back_to_the_one_before(geo: Keeping) -> None:
    first = await geo.approved(await geo.proposed(towns("New Town")))
    second = await geo.approved(await geo.proposed(towns("Newer Town")))
    back = await geo.decisions.roll_back(second.set_id, "olga", WHY)
    assert back.state == "rolled_back"
    assert geo.municipality() == "New Town"
    assert (await geo.decisions.one(first.set_id)).state == "in_force"
    assert (await geo.decisions.roll_back(second.set_id, "olga", WHY)).revision == back.revision
    with pytest.raises(RefusedError) as info:
        await geo.decisions.roll_back("none", "olga", WHY)
    assert info.value.code == "not_found"


@pytest.mark.parametrize("lost", ["before the swap", "after the swap"])
async def test_a_rollback_that_dies_is_finished_with_its_person_and_reason(
    lost: str, geo: Keeping
) -> None:
    done = await geo.approved(await geo.proposed(towns("New Town")))
    assert await geo.versions.replace(done.to_roll_back("olga", geo.clock.now(), WHY))
    if lost == "after the swap":
        await geo.atlas.swap("municipality", done.version, done.replaces)
    await geo.decisions.step()
    assert geo.municipality() == "Old Town"
    back = await geo.decisions.one(done.set_id)
    last = back.history[-1]
    assert (back.state, last.act, last.by, last.reason) == (
        "rolled_back",
        "rolled_back",
        "olga",
        WHY,
    )
    await geo.decisions.step()
    assert (await geo.decisions.roll_back(done.set_id, "olga", WHY)).revision == back.revision


async def test_a_set_that_was_proposed_again_and_is_in_force_by_a_rollback_says_so(
    geo: Keeping,
) -> None:
    first = await geo.approved(await geo.proposed(towns("New Town")))
    second = await geo.approved(await geo.proposed(towns("Newer Town")))
    again = await geo.proposed(towns("New Town"))
    await geo.decisions.reject(again.set_id, "olga", WHY)
    await geo.decisions.roll_back(second.set_id, "olga", WHY)
    assert (await geo.decisions.one(first.set_id)).state == "in_force"
    # Proposed again, it replaced the other one, which is in force after a second rollback.
    await geo.decisions.roll_back(first.set_id, "olga", WHY)
    for _ in range(2):
        await geo.decisions.step()
        assert geo.municipality() == "Newer Town"
    assert (await geo.decisions.one(second.set_id)).state == "in_force"


async def test_a_set_that_is_rejected_while_it_comes_into_force_can_be_rolled_back(
    geo: Keeping,
) -> None:
    found = await geo.proposed(towns("New Town"))
    approved = await geo.approved(found, since=geo.clock.now() + timedelta(days=3))
    await geo.atlas.swap("municipality", approved.replaces, approved.version)
    await geo.decisions.reject(found.set_id, "olga", WHY)
    await geo.decisions.step()
    assert (await geo.decisions.one(found.set_id)).state == "in_force"
    assert (await geo.decisions.roll_back(found.set_id, "olga", WHY)).state == "rolled_back"
    assert geo.municipality() == "Old Town"


async def test_a_new_layer_is_gone_when_its_only_set_is_rolled_back(geo: Keeping) -> None:
    document = collection(({"code": "N1"}, square(-80.4, 25.6)))
    done = await geo.approved(await geo.proposed(read_boundary_set(document, layer="beat")))
    assert geo.atlas.current().locate(**HERE).layers == {"beat": "N1"}
    back = await geo.decisions.roll_back(done.set_id, "olga", WHY)
    assert (back.state, back.replaces) == ("rolled_back", None)
    assert geo.atlas.current().locate(**HERE).layers == {}


@pytest.mark.parametrize("lost", ["approved", "in force"])
async def test_a_process_that_dies_on_the_way_is_made_up_for(lost: str, geo: Keeping) -> None:
    found = await geo.proposed(towns("New Town"))
    now = geo.clock.now()
    approved = found.approved("olga", now, now)
    assert await geo.versions.replace(approved)
    if lost == "in force":
        await geo.atlas.swap("municipality", found.replaces, found.version)
    await geo.decisions.step()
    await geo.decisions.step()
    assert geo.municipality() == "New Town"
    done = await geo.decisions.one(found.set_id)
    assert [each.act for each in done.history] == ["proposed", "approved", "in_force"]


async def test_overlapping_areas_of_one_layer_are_refused_by_name(geo: Keeping) -> None:
    document = collection(
        ({"GEOID": "1", "NAME": "One"}, square(-80.4, 25.6)),
        ({"GEOID": "2", "NAME": "Two"}, square(-80.31, 25.6)),
    )
    one = read_boundary_set(document, layer="municipality")
    with pytest.raises(RefusedError) as info:
        await geo.proposed(one)
    assert (info.value.code, info.value.field) == ("boundaries", "features.0.geometry")
    assert info.value.detail.startswith("municipality: the features 1 and 2 cover the same")
    other = read_boundary_set(document, layer="service_area")
    (overlap,) = (await geo.proposed(other)).checks
    assert (overlap.kind, overlap.features) == ("overlap", ("1", "2"))
    assert overlap.width_m == pytest.approx(920, rel=0.05)


def test_a_narrow_gap_is_found_and_an_enclave_is_not() -> None:
    def ring_with_hole(side: float) -> BoundarySet:
        document = collection(({"code": "1"}, square(-80.4, 25.6)))
        hole = list(reversed(square(-80.36, 25.64, side)))
        document["features"][0]["geometry"]["coordinates"].append(hole)
        return read_boundary_set(document, layer="zone")

    (gap,) = check(ring_with_hole(0.0004))
    assert (gap.kind, gap.features) == ("gap", ("1",))
    assert check(ring_with_hole(0.02)) == []


def test_a_file_of_areas_that_all_lie_over_each_other_is_refused_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checks, "MOST_PAIRS", 44)

    def stacked(count: int) -> BoundarySet:
        areas: list[tuple[dict[str, object], Ring]] = [
            ({"code": str(number)}, square(-80.4, 25.6)) for number in range(count)
        ]
        return read_boundary_set(collection(*areas), layer="zone")

    with pytest.raises(BoundaryError, match="too many areas that lie over each other"):
        check(stacked(11))
    assert len(check(stacked(9))) == 36


async def test_what_would_change_is_counted_and_listed(geo: Keeping) -> None:
    await geo.request("r1", **HERE)
    await geo.request("r2", latitude=25.65, longitude=-80.25)
    await geo.request("r3", **HERE)
    await geo.updated("r3", status="closed")
    await geo.request("r4", **HERE)
    await geo.updated("r4", protected=True)
    found = await geo.proposed(towns("Old Town", west=-80.3))
    told = found.comparison
    assert told is not None
    assert (told.compared, told.unknown, told.changed, told.open) == (3, 1, 3, 2)
    assert told.by == {"municipality": 3}
    listed = await geo.differences.of_set(found.set_id, "", 10)
    assert [(each.record_id, each.open) for each in listed] == [
        ("r1", True),
        ("r2", True),
        ("r3", False),
    ]
    assert (listed[0].before.municipality, listed[0].after.municipality) == ("Old Town", None)
    assert not any("lat" in each.model_dump_json() for each in listed)


async def test_open_requests_are_resolved_anew_with_history(geo: Keeping) -> None:
    await geo.request("r1", **HERE, address="1 Typed Street")
    await geo.request("r2", latitude=25.65, longitude=-80.25)
    await geo.request("r3", **HERE)
    await geo.updated("r3", status="closed")
    before = geo.places.kept["r1"].location
    await geo.approved(await geo.proposed(towns("New Town")))
    await geo.anew.step()
    assert geo.told == []
    geo.clock.advance(REACHED_AFTER)
    await geo.anew.step()
    (said,) = geo.told
    assert before is not None
    assert (said.record_id, said.because, said.place_version) == ("r1", "boundaries", 1)
    assert (said.version, said.municipality, said.read) == (2, "New Town", None)
    assert (said.latitude, said.address) == (before.latitude, before.address)
    assert said.boundary_sets["municipality"] == towns("New Town").version
    (earlier,) = geo.places.kept["r1"].earlier
    assert earlier.areas.municipality == "Old Town"
    assert earlier.boundary_sets["municipality"] == towns("Old Town").version
    await geo.anew.step()
    assert len(geo.told) == 1


async def test_a_rollback_resolves_anew_too(geo: Keeping) -> None:
    await geo.request("r1", **HERE)
    done = await geo.approved(await geo.proposed(towns("New Town")))
    for _ in range(2):
        await geo.anew.step()
        geo.clock.advance(REACHED_AFTER)
    await geo.decisions.roll_back(done.set_id, "olga", WHY)
    for _ in range(2):
        await geo.anew.step()
        geo.clock.advance(REACHED_AFTER)
    assert [each.municipality for each in geo.told] == ["New Town", "Old Town"]
    assert len(geo.places.kept["r1"].earlier) == 2


async def test_a_protected_place_keeps_no_earlier_areas(geo: Keeping) -> None:
    await geo.request("r1", **HERE)
    await geo.approved(await geo.proposed(towns("New Town")))
    for _ in range(2):
        await geo.anew.step()
        geo.clock.advance(REACHED_AFTER)
    await geo.updated("r1", protected=True)
    assert geo.places.kept["r1"].earlier == ()


async def test_a_place_that_becomes_protected_is_in_no_list_of_differences(geo: Keeping) -> None:
    await geo.request("r1", **HERE)
    await geo.request("r2", **HERE)
    found = await geo.proposed(towns("New Town"))
    await geo.updated("r1", protected=True)
    listed = await geo.differences.of_set(found.set_id, "", 10)
    assert [each.record_id for each in listed] == ["r2"]
