"""The schedule and what is kept under which of its items."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from direct311.intake.catalogue.adapters import load_catalogue
from direct311.retention.schedule.adapters import load_retention
from direct311.retention.schedule.domain.clocks import case_components, request_dates
from direct311.runtime.datafile import DataFileError, packaged
from tests.support.data_files import changed, entry
from tests.support.real_data import REAL_DATA, needs_real_data
from tests.support.schedule import eligibility

FILES = load_retention()
SCHEDULE, ASSIGNMENTS = FILES.schedule, FILES.assignments
SERVICES = load_catalogue().content.services


def test_the_items_of_a_311_system_are_there() -> None:
    assert {item.item for item in SCHEDULE.items} == {
        *(2, 23, 27, 45, 94, 141, 189, 234, 236, 237, 241, 242, 322, 335, 374),
        *(381, 382, 383, 384, 391, 392, 393, 395, 398, 425),
    }
    assert (SCHEDULE.schedule, SCHEDULE.edition) == ("GS1-SL", "06/2023")


@needs_real_data
def test_titles_and_retentions_are_the_schedules_own_words() -> None:
    items = json.loads((REAL_DATA / "law" / "gs1sl_items.json").read_text(encoding="utf-8"))
    law = {each["item"]: each for each in items}
    for item in SCHEDULE.items:
        assert item.title == law[item.item]["title"]
        assert item.worded == law[item.item]["retention"]
        years = {"fiscal": "fiscal_years", "anniversary": "anniversary_years"}
        if law[item.item]["year_type"]:
            assert item.kind == years[law[item.item]["year_type"]]
            assert item.count == law[item.item]["years"]


@pytest.mark.parametrize("service", SERVICES, ids=lambda each: each.service_code)
@pytest.mark.policy("P14")
def test_every_type_has_an_item_and_a_date_once_closed(service: Any) -> None:
    items = ASSIGNMENTS.items_for(service.service_code)
    assert 94 in items
    closed = eligibility(items, request_dates(date(2024, 11, 1), date(2024, 11, 15)), SCHEDULE)
    assert closed.on is not None
    assert closed.on >= date(2025, 11, 15)
    assert eligibility(items, request_dates(date(2024, 11, 1), None), SCHEDULE).state == "waiting"


@pytest.mark.parametrize(
    ("code", "items"),
    [
        ("ROAD-POTHOLE", (94, 141)),
        ("WASTE-BULKY", (94, 141)),
        ("WASTE-ACCOUNT", (94,)),
        ("WASTE-CART-LEFT-OUT", (94, 237)),
        ("ANI-BITE", (94, 234)),
        ("MOSQ-BITING", (94, 425)),
        ("CODE-JUNK", (94, 237)),
        ("WORKS-COUNTY-DAMAGE", (94, 241)),
        ("CITY-DUMPING", (94,)),
        ("NEW-TYPE", (94,)),
    ],
)
def test_items_of_a_type(code: str, items: tuple[int, ...]) -> None:
    assert ASSIGNMENTS.items_for(code) == items


def test_every_enforcement_type_of_the_county_is_a_code_violation_record() -> None:
    for service in SERVICES:
        if service.flags.enforcement and service.department != "city_referral":
            assert 237 in ASSIGNMENTS.items_for(service.service_code)


def test_a_citation_and_a_hearing_add_their_items() -> None:
    closed = request_dates(date(2024, 11, 1), date(2024, 11, 15))
    warned = ASSIGNMENTS.items_for("CODE-JUNK")
    cited = ASSIGNMENTS.items_for("CODE-JUNK", ("citation_issued",))
    assert cited == (94, 237, 398)
    assert ASSIGNMENTS.items_for("CODE-JUNK", ("unheard_of",)) == warned
    assert eligibility(warned, closed, SCHEDULE).on == date(2027, 11, 15)


@pytest.mark.parametrize("outcome", ["citation_issued", "hearing", "litigation"])
def test_the_case_of_an_outcome_never_closes_with_the_request(outcome: str) -> None:
    closed = request_dates(date(2024, 11, 1), date(2024, 11, 15))
    items = ASSIGNMENTS.items_of_outcome(outcome)
    (open_case,) = case_components(outcome, items, closed, None, SCHEDULE)
    assert open_case.trigger_on is None
    (case,) = case_components(outcome, items, closed, date(2026, 2, 3), SCHEDULE)
    assert case.trigger_on == date(2026, 2, 3)


def test_other_series_have_their_item() -> None:
    items = {each.series: each.item for each in ASSIGNMENTS.series}
    assert (items["audit_entry"], items["disposition"]) == (393, 45)


def test_an_item_switched_off_keeps_what_is_assigned_to_it(tmp_path: Path) -> None:
    def off(tree: dict[str, Any]) -> None:
        entry(tree, "items", "item", 395).update(verify=True, enabled=False)

    schedule = load_retention(
        changed(packaged("direct311.retention", "schedule.yaml"), tmp_path, off)
    ).schedule
    assert schedule.by_number(395) is None
    found = eligibility((395,), request_dates(date(2024, 1, 2), date(2024, 2, 1)), schedule)
    assert found.state == "permanent"


def _item(number: int, **fields: object) -> Callable[[dict[str, Any]], None]:
    return lambda tree: entry(tree, "items", "item", number).update(fields)


def _assignment(name: str, **fields: object) -> Callable[[dict[str, Any]], None]:
    return lambda tree: entry(tree, "assignments", "assignment", name).update(fields)


@pytest.mark.parametrize(
    ("file", "change", "problem"),
    [
        ("schedule.yaml", _item(94, kind="years"), ("94", "kind")),
        ("schedule.yaml", _item(94, count=None), ("94", "count")),
        ("schedule.yaml", _item(94, count=-1), ("94", "count")),
        ("schedule.yaml", _item(45, count=3), ("45", "count")),
        ("schedule.yaml", _item(45, trigger="resolved"), ("45", "trigger")),
        ("schedule.yaml", _item(94, trigger="whenever"), ("94", "trigger")),
        ("schedule.yaml", _item(94, title=" "), ("94", "title")),
        ("schedule.yaml", _item(94, verify=True), ("94", "enabled")),
        ("schedule.yaml", _item(141, item=94), ("94", "item")),
        (
            "schedule.yaml",
            lambda tree: tree.update(fiscal_year_begins={"month": 2, "day": 29}),
            ("", "fiscal_year_begins"),
        ),
        ("assignments.yaml", _assignment("animals", items=[94, 9999]), ("animals", "items")),
        ("assignments.yaml", _assignment("animals", items=[]), ("animals", "items")),
        (
            "assignments.yaml",
            _assignment("animals", assignment="mosquitoes"),
            ("mosquitoes", "items"),
        ),
        ("assignments.yaml", lambda tree: tree.update(default=[]), ("", "default")),
        ("assignments.yaml", lambda tree: tree.update(schedule="GS2"), ("", "schedule")),
    ],
)
def test_a_bad_file_is_refused_by_entry_and_field(
    tmp_path: Path,
    file: str,
    change: Callable[[dict[str, Any]], None],
    problem: tuple[str, str],
) -> None:
    path = changed(packaged("direct311.retention", file), tmp_path, change)
    schedule, assignments = (path, None) if file == "schedule.yaml" else (None, path)
    with pytest.raises(DataFileError) as refused:
        load_retention(schedule, assignments)
    assert problem in [each[:2] for each in refused.value.problems]
