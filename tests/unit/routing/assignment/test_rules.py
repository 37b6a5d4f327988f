"""Which department, by when, by which rule."""

import csv
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.intake.catalogue.adapters import load_catalogue
from direct311.routing.assignment.adapters import load_rules
from direct311.routing.assignment.domain.rules import Decision, Facts, decide, plain_name
from direct311.runtime.datafile import DataFileError, packaged
from direct311.schemas import routed_topic
from tests.support.data_files import changed, entry
from tests.support.real_data import REAL_DATA, needs_real_data

BOOK = load_rules().rulebook
CODES = sorted(BOOK.services)
MINUTE = timedelta(minutes=1)
MONDAY = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)

codes = st.sampled_from(CODES)
instants = st.integers(0, 7000 * 24 * 60).map(
    lambda n: datetime(2013, 1, 1, tzinfo=UTC) + n * MINUTE
)


def route(
    code: str,
    *,
    city: str | None = None,
    outcome: Literal["resolved", "unresolved", "outside"] = "resolved",
    received_at: datetime = MONDAY,
    **layers: str,
) -> Decision:
    """In the unincorporated area unless a city or another outcome is given."""
    facts = Facts(
        service_code=code,
        received_at=received_at,
        outcome=outcome,
        municipality=city,
        unincorporated=outcome == "resolved" and city is None,
        layers=layers,
    )
    return decide(facts, BOOK)


def test_routing_knows_the_same_types_as_the_catalogue() -> None:
    catalogue = load_catalogue().content
    assert {
        each.service_code: (each.group, each.owner, each.goal_days) for each in catalogue.services
    } == {
        each.service_code: (each.group, each.owner, each.goal_days)
        for each in BOOK.services.values()
    }
    for each in catalogue.services:
        assert BOOK.department_of_owner[each.owner] == each.department


@pytest.mark.parametrize("code", CODES)
def test_every_type_goes_somewhere_in_a_city_and_outside_of_one(code: str) -> None:
    for decision in (route(code), route(code, city="Hialeah")):
        assert decision.department in BOOK.departments
        assert decision.rule_id != "default-triage"
        assert decision.due_on >= date(2026, 3, 2)
        assert decision.rules_version == "2026.1"
        assert decision.reason.endswith(".")


@pytest.mark.parametrize("code", CODES)
def test_in_the_unincorporated_area_no_type_is_referred_to_a_city(code: str) -> None:
    assert route(code).department != "city_referral"


@pytest.mark.parametrize("code", CODES)
def test_what_cannot_be_placed_goes_to_triage(code: str) -> None:
    assert route(code, outcome="unresolved").department == "triage_311"
    assert route(code, outcome="outside").department == "triage_311"


def test_a_point_in_neither_kind_of_area_is_not_placed() -> None:
    facts = Facts(service_code="ROAD-POTHOLE", received_at=MONDAY, outcome="resolved")
    assert decide(facts, BOOK).rule_id == "place-unresolved"


def test_an_unknown_type_goes_to_triage() -> None:
    assert route("NO-SUCH-TYPE").rule_id == "default-triage"
    assert route("NO-SUCH-TYPE").department == "triage_311"


@pytest.mark.parametrize(
    ("code", "department"),
    [
        ("ANI-STRAY-DOG", "animal_services"),
        ("MOSQ-BITING", "public_works"),
        ("SIGNAL-OUT", "transportation"),
        ("SIGN-CONTROL", "transportation"),
        ("LIGHT-STREET", "transportation"),
        ("STORM-POWER", "triage_311"),
        ("ROAD-GRAFFITI", "public_works"),
        ("PARK-TREE-TRIM", "parks"),
        ("WORKS-COUNTY-DAMAGE", "public_works"),
    ],
)
def test_countywide_types_stay_with_the_county_in_a_city(code: str, department: str) -> None:
    assert route(code, city="Miami").department == department
    assert route(code).department == department


@pytest.mark.parametrize(
    ("code", "department"),
    [
        ("ROAD-POTHOLE", "public_works"),
        ("DRAIN-CLOGGED", "public_works"),
        ("TREE-TRIM", "parks"),
        ("CODE-JUNK", "regulatory"),
    ],
)
def test_local_types_are_the_countys_outside_cities_and_the_citys_inside(
    code: str, department: str
) -> None:
    assert route(code).department == department
    assert route(code, city="Hialeah").department == "city_referral"


@pytest.mark.parametrize("maintained_by", ["CO", "CM", "CC"])
def test_a_street_that_the_county_maintains_is_the_countys_in_a_city_too(
    maintained_by: str,
) -> None:
    decision = route("ROAD-POTHOLE", city="Hialeah", street_maintenance=maintained_by)
    assert (decision.department, decision.rule_id) == ("public_works", "county-roads-in-cities")
    decision = route("ROAD-POTHOLE", city="Hialeah", street_maintenance="CI")
    assert decision.department == "city_referral"


def test_waste_goes_by_service_area() -> None:
    assert route("WASTE-BULKY").rule_id == "waste-unincorporated"
    assert route("WASTE-BULKY", city="City_of_Miami_Gardens").department == "solid_waste"
    assert route("WASTE-BULKY", city="CIty_of_Sunny_Isles_Beach").department == "solid_waste"
    assert route("WASTE-BULKY", city="Village_of_Palmetto_Bay").department == "solid_waste"
    assert route("WASTE-BULKY", city="Hialeah").department == "city_referral"
    assert route("WASTE-BULKY", city="Aventura", solid_waste_service_area="Y").department == (
        "solid_waste"
    )


def test_city_names_are_compared_without_their_form() -> None:
    assert plain_name("City_of_Opa-Locka") == plain_name("Opa-locka")
    assert plain_name("Town of Cutler Bay") == plain_name("Cutler Bay")
    assert plain_name("Miami") != plain_name("Miami Beach")


@pytest.mark.parametrize(
    ("code", "received", "due"),
    [
        # Real requests of the county's records (type, time of receipt, goal), due days counted on
        # a wall calendar. Times are Miami's.
        ("ANI-STRAY-DOG", "2013-11-27T10:40:11-05:00", "2013-12-04"),  # Thanksgiving and Friday
        ("ANI-STRAY-DOG", "2014-01-16T17:40:52-05:00", "2014-01-23"),  # evening; King's birthday
        ("ANI-STRAY-DOG", "2015-03-20T09:18:36-04:00", "2015-03-25"),  # a weekend
        ("SIGNAL-OUT", "2015-05-26T15:11:16-04:00", "2015-05-26"),  # goal 0: the same day
        ("ROAD-POTHOLE", "2017-02-18T10:03:00-05:00", "2017-02-24"),  # Saturday, Monday a holiday
        ("ROAD-POTHOLE", "2014-07-01T11:05:13-04:00", "2014-07-07"),  # Independence Day
        ("ANI-DEAD-PICKUP", "2013-12-23T07:15:26-05:00", "2013-12-30"),  # Christmas
        ("ANI-DEAD-PICKUP", "2017-12-29T08:00:00-05:00", "2018-01-05"),  # New Year
    ],
)
def test_goals_of_real_requests_fall_due_on_the_right_day(
    code: str, received: str, due: str
) -> None:
    decision = route(code, received_at=datetime.fromisoformat(received))
    assert decision.due_on == date.fromisoformat(due)


@needs_real_data
def test_real_rows_are_routed_as_the_county_did() -> None:
    """The owner's own department, except for local matters inside a city, which are referred."""
    types = {each.county_name: each for each in load_catalogue().content.services}
    path = REAL_DATA / "requests" / "miami_dade_311_2013_2018.csv"
    agreed: Counter[bool] = Counter()
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            service = types[row["issue_type"]]
            if not row["city"]:
                continue
            city = None if row["city"] == "Miami_Dade_County" else row["city"]
            decision = route(service.service_code, city=city)
            agreed[decision.department == service.department] += 1
    assert agreed.total() == 3479
    assert agreed[True] / agreed.total() > 0.95


@given(codes, instants, st.sampled_from([None, "Miami", "Doral"]))
def test_the_same_facts_always_decide_the_same(
    code: str, received_at: datetime, city: str | None
) -> None:
    assert route(code, city=city, received_at=received_at) == route(
        code, city=city, received_at=received_at
    )


@given(codes, instants)
def test_nothing_falls_due_before_it_came_or_on_a_free_day(
    code: str, received_at: datetime
) -> None:
    due = route(code, received_at=received_at).due_on
    assert BOOK.calendar.is_working(due)
    assert due >= BOOK.calendar.starts_on(received_at)


def test_each_department_subscribes_to_its_own_topic() -> None:
    for code, department in BOOK.departments.items():
        assert department.topic == routed_topic(code)


def test_a_rule_may_begin_on_a_day_of_its_own(tmp_path: Path) -> None:
    def change(tree: dict[str, Any]) -> None:
        tree["rules"].insert(
            0,
            {
                "rule": "dogs-to-parks",
                "when": {"service_codes": ["ANI-STRAY-DOG"]},
                "then": {"department": "parks"},
                "reason": "A test.",
                "effective_from": date(2026, 7, 1),
            },
        )

    changed(packaged("direct311.routing", "rules.yaml"), tmp_path, change)
    book = load_rules(tmp_path).rulebook

    def on(day: date) -> str:
        received = datetime(day.year, day.month, day.day, 15, tzinfo=UTC)
        facts = Facts(
            service_code="ANI-STRAY-DOG",
            received_at=received,
            outcome="resolved",
            unincorporated=True,
        )
        return decide(facts, book).department

    assert on(date(2026, 6, 30)) == "animal_services"
    assert on(date(2026, 7, 1)) == "parks"


def _rule(name: str, where: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(tree: dict[str, Any]) -> None:
        rule = entry(tree, "rules", "rule", name)
        outer, _, inner = where.partition(".")
        if inner:
            rule[outer][inner] = value
        else:
            rule[outer] = value

    return change


def drop_last(tree: dict[str, Any]) -> None:
    tree["rules"].pop()


def same_name(tree: dict[str, Any]) -> None:
    tree["rules"][1]["rule"] = tree["rules"][0]["rule"]


@pytest.mark.parametrize(
    ("file", "change", "problem"),
    [
        (
            "rules.yaml",
            _rule("city-own-matter", "then.department", "mars"),
            ("city-own-matter", "then.department"),
        ),
        (
            "rules.yaml",
            _rule("city-own-matter", "when.owners", ["Nobody"]),
            ("city-own-matter", "when.owners"),
        ),
        (
            "rules.yaml",
            _rule("city-own-matter", "when.place", ["moon"]),
            ("city-own-matter", "when.place[0]"),
        ),
        ("rules.yaml", _rule("city-own-matter", "when", {}), ("city-own-matter", "when")),
        ("rules.yaml", _rule("city-own-matter", "reason", ""), ("city-own-matter", "reason")),
        (
            "rules.yaml",
            _rule("city-own-matter", "then.due_working_days", -1),
            ("city-own-matter", "then.due_working_days"),
        ),
        ("rules.yaml", drop_last, ("city-own-matter", "when")),
        ("rules.yaml", same_name, ("place-unresolved", "rule")),
        (
            "departments.yaml",
            lambda tree: entry(tree, "departments", "department", "parks").update(topic="parks"),
            ("parks", "topic"),
        ),
        (
            "departments.yaml",
            lambda tree: entry(tree, "departments", "department", "parks").update(
                owners=["Animal_Services"]
            ),
            ("parks", "owners"),
        ),
        (
            "departments.yaml",
            lambda tree: tree.update(public_telephones=["305-468-5900"]),
            ("", "public_telephones"),
        ),
        (
            "services.yaml",
            lambda tree: entry(tree, "services", "service_code", "ROAD-CURB").update(goal_days=-2),
            ("ROAD-CURB", "goal_days"),
        ),
        (
            "services.yaml",
            lambda tree: entry(tree, "services", "service_code", "ROAD-CURB").update(owner="New"),
            ("", "rules"),
        ),
    ],
)
def test_a_bad_file_is_refused_by_entry_and_field(
    tmp_path: Path,
    file: str,
    change: Callable[[dict[str, Any]], None],
    problem: tuple[str, str],
) -> None:
    changed(packaged("direct311.routing", file), tmp_path, change)
    with pytest.raises(DataFileError) as refused:
        load_rules(tmp_path)
    assert problem in [each[:2] for each in refused.value.problems]
