"""The county's request types: complete, well formed, and refused by name where they are not."""

import csv
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pytest

from direct311.intake.catalogue.adapters import load_catalogue, load_catalogues
from direct311.intake.catalogue.domain.types import Catalogue, Flags, ServiceType
from direct311.runtime.datafile import DataFileError, packaged
from tests.support.data_files import changed, entry
from tests.support.real_data import REAL_DATA, needs_real_data

CATALOGUE: Catalogue = load_catalogue().content
TODAY = date(2026, 11, 24)


def by_code(code: str) -> ServiceType:
    found = CATALOGUE.by_code(code)
    assert found is not None
    return found


def test_there_are_152_types_and_all_are_in_force() -> None:
    assert len(CATALOGUE.services) == 152
    assert CATALOGUE.in_force(TODAY) == CATALOGUE.services


@needs_real_data
def test_facts_are_the_countys_own() -> None:
    path = REAL_DATA / "catalogue" / "miami_dade_issue_types_from_rows.csv"
    with path.open(encoding="utf-8", newline="") as file:
        facts = {
            row["issue_type"]: (row["case_owner"], int(row["goal_days_mode"]))
            for row in csv.DictReader(file)
        }
    assert {each.county_name: (each.owner, each.goal_days) for each in CATALOGUE.services} == facts


@needs_real_data
def test_every_real_row_finds_its_type() -> None:
    path = REAL_DATA / "requests" / "miami_dade_311_2013_2018.csv"
    with path.open(encoding="utf-8", newline="") as file:
        names = [row["issue_type"] for row in csv.DictReader(file)]
    assert len(names) == 3500
    assert {*names} <= {service.county_name for service in CATALOGUE.services}


def test_each_type_has_a_code_and_a_county_name_of_its_own() -> None:
    for service in CATALOGUE.services:
        assert CATALOGUE.by_code(service.service_code) is service
    assert CATALOGUE.by_code("NO-SUCH-TYPE") is None
    names = {service.county_name for service in CATALOGUE.services}
    assert len(names) == len(CATALOGUE.services)


def test_names_and_descriptions_are_for_residents() -> None:
    for service in CATALOGUE.services:
        assert service.service_name != service.service_name.upper()
        assert service.description[0].isupper()
        assert service.description.endswith(".")
        assert service.keywords
    names = [service.service_name for service in CATALOGUE.services]
    assert len(set(names)) == len(names)


def test_no_text_is_public_by_default() -> None:
    assert not any(service.flags.publish_text for service in CATALOGUE.services)


def test_every_datatype_of_open311_is_asked_for() -> None:
    asked = {each.datatype for service in CATALOGUE.services for each in service.attributes}
    assert asked == {"string", "number", "datetime", "text", "singlevaluelist", "multivaluelist"}


def test_enforcement_types_ask_for_the_reporters_address_sealed_and_are_not_anonymous() -> None:
    enforcement = [service for service in CATALOGUE.services if service.flags.enforcement]
    assert {service.owner for service in enforcement} == {
        "Regulatory_and_Economic_Resources",
        "COM_Code_Enforcement",
        "Waste_Management",
    }
    for service in enforcement:
        address = service.attribute("REPORTER_ADDRESS")
        assert address is not None
        assert address.sealed_as == "reporter_address"
        assert not address.required
        assert not service.flags.anonymous


@pytest.mark.policy("P13")
def test_enforcement_types_say_before_they_ask_that_name_and_address_become_public_record() -> None:
    words = {"en": "public record", "es": "registro público", "ht": "dosye piblik"}
    for language, catalogue in load_catalogues().items():
        for service in catalogue.services:
            if not service.flags.enforcement:
                continue
            notice = service.attribute("IDENTITY_NOTICE")
            address = service.attribute("REPORTER_ADDRESS")
            assert notice is not None
            assert address is not None
            assert not notice.variable
            assert notice.order < address.order
            assert words[language] in notice.description
            assert words[language] in address.datatype_description


def test_other_types_welcome_anonymous_reports_and_seal_no_answer() -> None:
    for service in CATALOGUE.services:
        if not service.flags.enforcement:
            assert service.flags.anonymous
            assert not any(each.sealed_as for each in service.attributes)


def test_all_of_code_compliance_is_enforcement() -> None:
    for service in CATALOGUE.services:
        if service.owner == "Regulatory_and_Economic_Resources":
            assert service.flags.enforcement


def test_types_of_each_kind_and_conditional_questions_are_in_use() -> None:
    kinds = Counter(each.type for each in CATALOGUE.services)
    assert kinds["batch"] >= 3
    assert kinds["blackbox"] >= 2
    assert {each.flags.media for each in CATALOGUE.services} >= {"allowed", "none"}
    conditional = {
        service.service_code
        for service in CATALOGUE.services
        for each in service.attributes
        if each.asked_if
    }
    assert len(conditional) >= 5


@pytest.mark.parametrize(
    ("media", "files", "addresses", "taken"),
    [
        ("allowed", 0, 0, True),
        ("allowed", 2, 1, True),
        ("none", 0, 0, True),
        ("none", 1, 0, False),
        ("none", 0, 1, True),
        ("required", 0, 0, False),
        ("required", 1, 0, True),
        ("required", 0, 1, True),
    ],
)
def test_files_come_where_they_may_and_where_they_must(
    media: Literal["allowed", "required", "none"], files: int, addresses: int, taken: bool
) -> None:
    service = by_code("ROAD-CURB").model_copy(update={"flags": Flags(media=media)})
    assert (service.files_wrong(files, addresses) is None) is taken


def test_a_type_has_metadata_when_it_asks_questions() -> None:
    assert by_code("ROAD-POTHOLE").metadata
    assert not by_code("ROAD-CURB").metadata


def test_a_type_may_begin_and_end_on_days_of_its_own(tmp_path: Path) -> None:
    def change(tree: dict[str, Any]) -> None:
        pothole = entry(tree, "services", "service_code", "ROAD-POTHOLE")
        pothole["effective_from"] = date(2026, 3, 1)
        pothole["effective_until"] = date(2026, 3, 31)

    path = changed(packaged("direct311.intake", "catalogue.yaml"), tmp_path, change)
    catalogue = load_catalogue(path).content
    codes = {
        day: {service.service_code for service in catalogue.in_force(day)}
        for day in (date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 31), date(2026, 4, 1))
    }
    assert ["ROAD-POTHOLE" in each for each in codes.values()] == [False, True, True, False]
    assert catalogue.by_code("ROAD-POTHOLE") is not None
    assert catalogue.in_force(date(2012, 12, 31)) == ()


def _set(code: str, field: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(tree: dict[str, Any]) -> None:
        entry(tree, "services", "service_code", code)[field] = value

    return change


def _attribute(
    code: str, field: str, value: object, *, number: int = 0
) -> Callable[[dict[str, Any]], None]:
    def change(tree: dict[str, Any]) -> None:
        entry(tree, "services", "service_code", code)["attributes"][number][field] = value

    return change


def _asked_if(
    service: str, number: int, *, code: str = "PROBLEM", values: Sequence[str] = ("damaged",)
) -> Callable[[dict[str, Any]], None]:
    return _attribute(service, "asked_if", {"code": code, "values": list(values)}, number=number)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (_set("ROAD-CURB", "goal_days", -1), ("ROAD-CURB", "goal_days")),
        (_set("ROAD-CURB", "goal_days", "soon"), ("ROAD-CURB", "goal_days")),
        (_set("ROAD-CURB", "service_name", " "), ("ROAD-CURB", "service_name")),
        (_set("ROAD-CURB", "service_code", "road curb"), ("road curb", "service_code")),
        (_set("ROAD-CURB", "service_code", "ROAD-DIP"), ("ROAD-DIP", "service_code")),
        (_set("ROAD-CURB", "county_name", "POTHOLE"), ("ROAD-CURB", "county_name")),
        (_set("ROAD-CURB", "type", "slow"), ("ROAD-CURB", "type")),
        (_set("ROAD-CURB", "colour", "grey"), ("ROAD-CURB", "colour")),
        (_set("ROAD-CURB", "flags", {"media": "some"}), ("ROAD-CURB", "flags.media")),
        (_set("ROAD-CURB", "effective_until", "tomorrow"), ("ROAD-CURB", "effective_until")),
        (_attribute("ROAD-POTHOLE", "order", 2), ("ROAD-POTHOLE", "attributes")),
        (_attribute("ROAD-POTHOLE", "values", []), ("ROAD-POTHOLE", "attributes[SIZE].values")),
        (
            _attribute("ROAD-POTHOLE", "datatype", "integer"),
            ("ROAD-POTHOLE", "attributes[SIZE].datatype"),
        ),
        (
            _attribute("CODE-BOAT", "required", True, number=1),
            ("CODE-BOAT", "attributes[REPORTER_ADDRESS].required"),
        ),
        (_set("CODE-BOAT", "attributes", []), ("CODE-BOAT", "attributes")),
        (
            _attribute("CODE-BOAT", "variable", True),
            ("CODE-BOAT", "attributes[REPORTER_ADDRESS].order"),
        ),
        (
            _attribute("CODE-BOAT", "required", True),
            ("CODE-BOAT", "attributes[IDENTITY_NOTICE].required"),
        ),
        (
            _asked_if("LIGHT-STREET", 2, code="COLOUR"),
            ("LIGHT-STREET", "attributes[BARE_WIRES].asked_if.code"),
        ),
        (
            _asked_if("LIGHT-STREET", 2, code="BARE_WIRES"),
            ("LIGHT-STREET", "attributes[BARE_WIRES].asked_if.code"),
        ),
        (
            _asked_if("LIGHT-STREET", 0, code="BARE_WIRES", values=["yes"]),
            ("LIGHT-STREET", "attributes[PROBLEM].asked_if.code"),
        ),
        (
            _asked_if("LIGHT-STREET", 2, code="POLE_NUMBER"),
            ("LIGHT-STREET", "attributes[BARE_WIRES].asked_if.code"),
        ),
        (
            _asked_if("LIGHT-STREET", 2, values=["broken"]),
            ("LIGHT-STREET", "attributes[BARE_WIRES].asked_if.values[broken]"),
        ),
        (
            _asked_if("LIGHT-STREET", 2, values=["out", "out"]),
            ("LIGHT-STREET", "attributes[BARE_WIRES].asked_if.values[out]"),
        ),
        (
            _asked_if("LIGHT-STREET", 2, values=[]),
            ("LIGHT-STREET", "attributes[BARE_WIRES].asked_if.values"),
        ),
        (
            _asked_if("CODE-JUNK", 1, code="WHAT", values=["trash"]),
            ("CODE-JUNK", "attributes[REPORTER_ADDRESS].asked_if"),
        ),
        (_set("CODE-BOAT", "flags", {"enforcement": True}), ("CODE-BOAT", "flags.anonymous")),
        (_set("CODE-BOAT", "type", "blackbox"), ("CODE-BOAT", "type")),
    ],
)
def test_a_bad_entry_is_refused_by_code_and_field(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], problem: tuple[str, str]
) -> None:
    path = changed(packaged("direct311.intake", "catalogue.yaml"), tmp_path, change)
    with pytest.raises(DataFileError) as refused:
        load_catalogue(path)
    assert problem in [each[:2] for each in refused.value.problems]
