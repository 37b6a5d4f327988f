"""A submission in JSON is read as its form is, and named in its own words."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.intake.catalogue.adapters import load_catalogue
from direct311.intake.submission.api.forms import read_submission
from direct311.intake.submission.api.json_forms import ReadJson, read_json

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
CATALOGUE = load_catalogue().content
SECRET = "Zoraida-Quintanilla"
LEAST: dict[str, Any] = {"service_code": "ANI-STRAY-DOG", "lat": 25.77, "long": -80.2}
CODES = st.sampled_from([each.service_code for each in CATALOGUE.services])
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)


def read(**members: object) -> ReadJson:
    return read_json({**LEAST, **members}, None, CATALOGUE, AT)


def fields(found: ReadJson) -> list[str]:
    return [each.field for each in found.problems]


def test_the_same_content_is_the_same_submission_in_both() -> None:
    pairs = [
        ("service_code", "ANI-STRAY-DOG"),
        ("lat", "25.77"),
        ("long", "-80.2"),
        ("description", "It barks.\r\nAll night."),
        ("attribute[SIZE]", "medium"),
        ("attribute[DOG_COUNT]", "2"),
        ("phone", "305-555-0142"),
        ("policy_version", "2026-1"),
    ]
    form = read_submission(pairs, CATALOGUE, AT)
    found = read(
        description="It barks.\r\nAll night.",
        attributes={"SIZE": ["medium"], "DOG_COUNT": 2},
        phone="305-555-0142",
        policy_version="2026-1",
        first_name="",
    )
    assert (form.problems, found.problems) == ((), ())
    assert found.submission == form.submission


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"lat": None}, ["lat"]),
        ({"lat": float("nan")}, ["lat"]),
        ({"lat": 1e300}, ["lat"]),
        ({"attributes": {"SIZE": SECRET}}, ["attributes.SIZE"]),
        ({"attributes": {"SIZE": ["small", "large"]}}, ["attributes.SIZE"]),
        ({"attributes": {SECRET: "x"}}, ["attributes"]),
        ({"attributes": {f"{SECRET}]": "x"}}, ["attributes"]),
        ({"attributes": {SECRET: {"a": 1}}}, ["attributes"]),
        ({"attributes": {"SIZE": [[SECRET]]}}, ["attributes"]),
        ({"attributes": {"SIZE": True}}, ["attributes"]),
        ({"email": "a@example.org"}, ["email_notice_version"]),
        ({"email": SECRET, "email_notice_version": "1"}, ["email"]),
        ({"phone": f"{SECRET}\n"}, []),
        ({"phone": f"{SECRET}\n1"}, ["phone"]),
        ({"service_code": SECRET}, ["service_code"]),
        ({"policy_version": f"{SECRET} "}, []),
        ({"policy_version": f"{SECRET} x"}, ["policy_version"]),
    ],
)
def test_what_is_wrong_is_named_as_in_json_and_never_repeated(
    members: dict[str, object], named: list[str]
) -> None:
    found = read(**members)
    assert fields(found) == named
    assert SECRET not in repr(found.problems)


def test_consent_to_a_way_needs_what_it_goes_by() -> None:
    given_ = {**LEAST, "phone": "305-555-0142"}
    good = read_json(given_, ["text", "phone", "text"], CATALOGUE, AT)
    assert good.submission is not None
    assert good.submission.contact_by == ("text", "phone")
    none = read_json(given_, [], CATALOGUE, AT)
    assert none.submission is not None
    assert none.submission.contact_by == ()
    assert fields(read_json(given_, ["email"], CATALOGUE, AT)) == ["contact_consent.by"]


def test_files_are_named_once_and_belong_to_the_content() -> None:
    one = read(uploads=("u-1", "u-1", "u-2")).submission
    two = read(uploads=("u-1",)).submission
    assert one is not None
    assert two is not None
    assert one.uploads == ("u-1", "u-2")
    assert one.canonical() != two.canonical()


@given(
    code=CODES,
    attributes=st.dictionaries(st.text(max_size=10), VALUES | st.lists(VALUES, max_size=3)),
    rest=st.dictionaries(
        st.sampled_from(["lat", "long", "description", "email", "phone", "address_string"]), VALUES
    ),
)
def test_whatever_comes_is_read_or_named(
    code: str, attributes: dict[str, object], rest: dict[str, object]
) -> None:
    members = {name: value for name, value in rest.items() if value is not None}
    found = read_json(
        {"service_code": code, "attributes": attributes, **members}, None, CATALOGUE, AT
    )
    assert (found.submission is None) is bool(found.problems)
