"""A submission in JSON is read as its form is, and named in its own words."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from direct311.intake.catalogue.adapters import load_catalogue
from tests.support.drafts import ReadJson, read_form, read_json

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
CATALOGUE = load_catalogue().content
SECRET = "Zoraida-Quintanilla"
U1, U2 = "0195a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b", "0195a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1c"
LEAST: dict[str, Any] = {"service_code": "ANI-STRAY-DOG", "lat": 25.77, "long": -80.2}
FORM = [("service_code", "ANI-STRAY-DOG"), ("lat", "25.77"), ("long", "-80.2")]
CODES = st.sampled_from([each.service_code for each in CATALOGUE.services])
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)


def read(**members: object) -> ReadJson:
    return read_json({**LEAST, **members}, CATALOGUE, AT)


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
    form = read_form(pairs, CATALOGUE, AT)
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
        ({"phone": "305-555-0142\n"}, []),
        ({"phone": SECRET}, ["phone"]),
        ({"phone": "12"}, ["phone"]),
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


def test_an_email_address_needs_the_notice_only_where_it_can_be_named() -> None:
    mail = {"email": "zora@example.org"}
    (problem,) = read(**mail).problems
    assert (problem.field, problem.code) == ("email_notice_version", "notice_required")
    assert read(**mail, email_notice_version="668.6076-1").problems == ()
    assert read_form([*FORM, *mail.items()], CATALOGUE, AT).problems == ()


@pytest.mark.parametrize("phone", ["abc", "12"])
def test_a_telephone_must_be_one_only_here(phone: str) -> None:
    (problem,) = read(phone=phone).problems
    assert (problem.field, problem.code) == ("phone", "phone_form")
    taken = read_form([*FORM, ("phone", phone)], CATALOGUE, AT).submission
    assert taken is not None
    assert taken.contact == {"phone": phone}


def test_an_answer_that_is_asked_only_after_another_names_both_as_json_does() -> None:
    (problem,) = read(
        service_code="LIGHT-STREET", attributes={"PROBLEM": "out", "BARE_WIRES": "yes"}
    ).problems
    assert (problem.field, problem.code) == ("attributes.BARE_WIRES", "asked_only_if")
    assert problem.detail == (
        "attributes.BARE_WIRES is asked only if attributes.PROBLEM is damaged"
    )


def test_a_number_is_the_answer_that_its_text_is() -> None:
    for number, text in ((3, "3"), (3.0, "3.0"), (-0.5, "-0.5"), (10**15, "1000000000000000")):
        found = read(attributes={"SIZE": "medium", "DOG_COUNT": number})
        form = [*FORM, ("attribute[SIZE]", "medium"), ("attribute[DOG_COUNT]", text)]
        assert found.submission is not None, found.problems
        assert found.submission == read_form(form, CATALOGUE, AT).submission


def test_consent_to_a_way_needs_what_it_goes_by() -> None:
    good = read(phone="305-555-0142", contact_consent={"by": ["text", "phone", "text"]})
    assert good.submission is not None
    assert good.submission.contact_by == ("text", "phone")
    none = read(phone="305-555-0142", contact_consent={"by": []})
    assert none.submission is not None
    assert none.submission.contact_by == ()
    other = read(phone="305-555-0142", contact_consent={"by": ["email"]})
    assert fields(other) == ["contact_consent.by"]


def test_files_are_named_once_and_belong_to_the_content() -> None:
    one = read(file_ids=[U1, U1, U2]).submission
    two = read(file_ids=[U1]).submission
    assert one is not None
    assert two is not None
    assert one.uploads == (U1, U2)
    assert one.canonical() != two.canonical()


@given(
    code=CODES,
    attributes=st.dictionaries(st.text(max_size=10), VALUES | st.lists(VALUES, max_size=3)),
    rest=st.dictionaries(
        st.sampled_from(["lat", "long", "description", "email", "phone", "address"]), VALUES
    ),
)
def test_whatever_comes_is_read_or_named(
    code: str, attributes: dict[str, object], rest: dict[str, object]
) -> None:
    members = {name: value for name, value in rest.items() if value is not None}
    sent = {"service_code": code, "attributes": attributes, **members}
    try:
        found = read_json(sent, CATALOGUE, AT)
    except ValidationError:
        # Of another type than is declared: the framework names it.
        return
    assert (found.submission is None) is bool(found.problems)
