"""What a form may hold: every error at once, each naming its field and never its value."""

from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.intake.catalogue.adapters import load_catalogue
from tests.support.drafts import ReadForm, read_form, read_json

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
CATALOGUE = load_catalogue().content
DOG = "ANI-STRAY-DOG"
ENFORCEMENT = next(each for each in CATALOGUE.services if each.flags.enforcement)
SECRET = "Zoraida-Quintanilla"


def read(*pairs: tuple[str, str], service: str = DOG, point: bool = True) -> ReadForm:
    given = [("service_code", service)] if service else []
    given += [("lat", "25.77"), ("long", "-80.2")] if point else []
    return read_form([*given, *pairs], CATALOGUE, AT)


def test_the_least_that_is_a_submission() -> None:
    found = read()
    assert found.problems == ()
    assert found.submission is not None
    assert (found.submission.place.latitude, found.submission.place.longitude) == (25.77, -80.2)
    assert found.submission.jurisdiction_id == "miamidade"


def test_an_address_alone_is_a_place() -> None:
    found = read(("address_string", "111 NW 1st St, Miami"), point=False)
    assert found.submission is not None
    assert found.submission.place.address == "111 NW 1st St, Miami"


@pytest.mark.parametrize(
    ("pairs", "point", "code", "named"),
    [
        ([], False, 400, "lat"),
        ([("lat", "25.7")], False, 400, "long"),
        ([("long", "-80.7")], False, 400, "lat"),
        ([("lat", SECRET), ("long", "1")], False, 400, "lat"),
        ([("lat", "91"), ("long", "1")], False, 400, "lat"),
        ([("lat", "nan"), ("long", "inf")], False, 400, "long"),
        ([("lat", "1"), ("long", "-180.1")], False, 400, "long"),
        ([("lat", "1"), ("lat", "2"), ("long", "1")], False, 400, "lat"),
        ([("email", SECRET)], True, 400, "email"),
        ([("email", f"{SECRET}@x"), ("phone", "9" * 61)], True, 400, "phone"),
        ([("first_name", SECRET * 20)], True, 400, "first_name"),
        ([("description", "x" * 4001)], True, 400, "description"),
        ([("description", "bell \x07")], True, 400, "description"),
        ([("media_url", f"ftp://{SECRET}")], True, 400, "media_url"),
        ([("media_url", "http://[")], True, 400, "media_url"),
        ([("media_url", "http://a.example/1")] * 11, True, 400, "media_url"),
        ([("jurisdiction_id", SECRET)], True, 404, "jurisdiction_id"),
        ([("client_request_id", "é")], True, 400, "client_request_id"),
        ([("policy_version", "\x7f")], True, 400, "policy_version"),
        ([(f"attribute[{SECRET}]", "1")], True, 400, "attribute"),
        ([("attribute", SECRET)], True, 400, "attribute"),
        ([("attribute[[x]", SECRET)], True, 400, "attribute"),
        ([("lat", "2_5"), ("long", "1")], False, 400, "lat"),
        ([("lat", "25,77"), ("long", "1")], False, 400, "lat"),
        ([("lat", "\u0662\u0665"), ("long", "1")], False, 400, "lat"),
        ([("lat", "1" * 5000), ("long", "1")], False, 400, "lat"),
        ([("lat", "91"), ("long", "1"), ("address_id", "x" * 301)], False, 400, "address_id"),
        ([("address_string", "bell \x07")], True, 400, "address_string"),
        ([("address_id", "one\ntwo")], True, 400, "address_id"),
        ([("phone", "305\n555")], True, 400, "phone"),
        ([("last_name", "half \ud800")], True, 400, "last_name"),
        ([("description", "half \udfff")], True, 400, "description"),
        ([("media_url", "http://a.example/\nx")], True, 400, "media_url"),
        ([("media_url", "http://a.example/a b")], True, 400, "media_url"),
        ([("media_url", "http://:80/")], True, 400, "media_url"),
        ([("media_url", "http://a.example/" + "x" * 2000)], True, 400, "media_url"),
        ([("client_request_id", "x" * 201)], True, 400, "client_request_id"),
        ([("policy_version", "1" * 41)], True, 400, "policy_version"),
        ([("email_notice_version", f"1 {SECRET}")], True, 400, "email_notice_version"),
        ([("email", "a@b.example"), ("email", "c@d.example")], True, 400, "email"),
    ],
)
def test_each_error_names_its_field(
    pairs: list[tuple[str, str]], point: bool, code: int, named: str
) -> None:
    found = read(*pairs, point=point)
    assert found.submission is None
    assert (code, named) in [(each.code, each.field) for each in found.problems]
    assert SECRET not in repr(found.problems)


@pytest.mark.policy("P5")
@pytest.mark.parametrize(
    "number",
    [
        "078-05-1120",
        "078:05:1120",
        "ssn:078.05.1120",
        "4111-1111-1111-1111",
        "4111111111111111",
        "4111:1111:1111:1111",
        "021000021",
        "305-555-0142",
        "3055550142",
        "call/305.555.0142",
    ],
)
def test_an_address_id_that_is_a_persons_number_is_no_place(number: str) -> None:
    beside = read(("address_id", number))
    assert beside.submission is not None
    assert beside.submission.place.address_id is None
    assert beside.submission.place_id_left_out
    found = read(("address_id", number), point=False)
    assert found.submission is None
    (problem,) = found.problems
    assert (problem.code, problem.field) == (400, "address_id")
    assert "such as a folio" in problem.description
    assert number not in repr(found.problems)
    json = read_json({"service_code": DOG, "address_id": number}, CATALOGUE, AT)
    assert [each.field for each in json.problems] == ["address_id"]


@pytest.mark.parametrize(
    ("folio", "taken"),
    [
        ("34-5037-054-0050", True),
        # There is no section 37, no municipality 41.
        ("3450370540050", False),
        ("4111111111119", False),
    ],
)
def test_digits_that_could_be_a_cards_or_a_telephones_are_a_folio_where_they_say_so(
    folio: str, taken: bool
) -> None:
    assert (read(("address_id", folio), point=False).submission is not None) == taken


def test_every_folio_of_the_county_is_taken_without_its_dashes() -> None:
    random = Random(311)
    for _ in range(1000):
        town, section = random.choice([*range(1, 29), *range(30, 37)]), random.randint(1, 36)
        area = f"{random.randint(0, 9)}{random.choice('89012')}"
        folio = (
            f"{town:02}{area}{section:02}{random.randrange(1000):03}{random.randrange(10000):04}"
        )
        found = read(("address_id", folio), point=False).submission
        assert found is not None
        assert found.place.address_id == folio


@pytest.mark.parametrize(
    "place",
    [
        "30-4021-001-0010",
        "28-1235-001-0010",
        "3040210010010",
        "01-3126-033-0450",
        "folio:30-4021-001-0010",
        "osm:way/30402100",
        "node/5129476230",
        "osm:node/3055550142",
        "way/2190999910",
        "parcel:3040210010010",
        "9f1b2c3d-7513-4a1e-8f7a-6c6efde85551",
    ],
)
def test_the_id_of_a_place_is_taken_as_it_is(place: str) -> None:
    found = read(("address_id", place), point=False)
    assert found.submission is not None
    assert found.submission.place.address_id == place


def test_all_errors_come_at_once() -> None:
    found = read(("lat", "x"), ("long", "y"), ("email", "z"), service="NO-SUCH", point=False)
    assert [each.field for each in found.problems] == ["service_code", "lat", "long", "email"]
    assert found.problems[0].code == 404


def test_an_empty_field_counts_as_not_sent() -> None:
    found = read(("email", "  "), ("address_string", ""), ("jurisdiction_id", ""))
    assert found.submission is not None
    assert found.submission.contact == {}


def test_a_type_that_ended_is_not_known() -> None:
    found = read_form(
        [("service_code", DOG), ("lat", "25"), ("long", "-80")],
        CATALOGUE,
        datetime(1999, 1, 1, tzinfo=UTC),
    )
    assert [each.code for each in found.problems] == [404]


def _with(datatype: str) -> tuple[str, str]:
    """A type and the code of one of its questions of this datatype."""
    return next(
        (service.service_code, attribute.code)
        for service in CATALOGUE.services
        for attribute in service.attributes
        if attribute.datatype == datatype and attribute.variable
    )


@pytest.mark.parametrize(
    ("datatype", "wrong"),
    [
        ("number", "many"),
        ("number", "inf"),
        ("number", "1_000"),
        ("number", "\u0663"),
        ("datetime", "9999-12-31T23:59:59-12:00"),
        ("datetime", "yesterday"),
        ("singlevaluelist", "NO-SUCH-KEY"),
        ("multivaluelist", "NO-SUCH-KEY"),
        ("string", "x" * 501),
        ("text", "x" * 4001),
    ],
)
def test_an_answer_must_be_of_its_datatype(datatype: str, wrong: str) -> None:
    service, code = _with(datatype)
    found = read((f"attribute[{code}]", wrong), service=service)
    assert f"attribute[{code}]" in [each.field for each in found.problems]


def test_a_list_takes_several_values_in_either_form() -> None:
    service, code = _with("multivaluelist")
    attribute = next(
        a for s in CATALOGUE.services if s.service_code == service for a in s.attributes
        if a.code == code
    )  # fmt: skip
    one, two = attribute.values[0].key, attribute.values[1].key
    required = [
        (f"attribute[{a.code}]", a.values[0].key if a.values else "1")
        for s in CATALOGUE.services if s.service_code == service for a in s.attributes
        if a.required and a.code != code and a.sealed_as is None
    ]  # fmt: skip
    for name in (f"attribute[{code}][]", f"attribute[{code}]"):
        found = read((name, one), (name, two), *required, service=service)
        assert found.submission is not None, found.problems
        assert found.submission.attributes[code] == (one, two)


def test_a_required_answer_is_asked_for() -> None:
    service, code = next(
        (s, a.code)
        for s in CATALOGUE.services
        for a in s.attributes
        if a.required and a.sealed_as is None and a.asked_if is None
    )
    found = read(service=service.service_code)
    assert f"attribute[{code}]" in [each.field for each in found.problems]


@pytest.mark.policy("P5")
def test_the_reporters_address_is_sealed_and_not_an_answer() -> None:
    found = read(("attribute[REPORTER_ADDRESS]", "1 Main St"), service=ENFORCEMENT.service_code)
    assert found.submission is not None, found.problems
    assert found.submission.sealed_answers == {"reporter_address": "1 Main St"}
    assert "REPORTER_ADDRESS" not in found.submission.attributes


def test_a_complaint_without_it_is_taken() -> None:
    assert read(service=ENFORCEMENT.service_code).submission is not None


def test_the_same_content_in_another_order_is_the_same() -> None:
    one = read(("email", "a@example.com"), ("description", "a  dog")).submission
    two = read(("description", "a dog"), ("email", "a@example.com")).submission
    other = read(("description", "a cat"), ("email", "a@example.com")).submission
    assert one is not None
    assert two is not None
    assert other is not None
    assert one.canonical() == two.canonical()
    assert one.canonical() != other.canonical()


FIELDS = [
    "service_code",
    "lat",
    "long",
    "address_string",
    "email",
    "description",
    "attribute[X]",
    "attribute[",
    "media_url",
    "jurisdiction_id",
    "phone",
    "address_id",
    "media_url[]",
    "attribute[DOG_COUNT]",
    "attribute[SIZE][]",
    "client_request_id",
    "policy_version",
    "zzz",
]


@given(st.lists(st.tuples(st.sampled_from(FIELDS), st.text(max_size=60)), max_size=8))
def test_any_form_is_a_submission_or_problems(pairs: list[tuple[str, str]]) -> None:
    found = read_form(pairs, CATALOGUE, AT)
    assert (found.submission is None) == bool(found.problems)
    for problem in found.problems:
        assert problem.code in (400, 404)
        assert problem.field in problem.description or problem.field.startswith("attribute")


def test_the_same_value_twice_contradicts_nothing() -> None:
    found = read(("jurisdiction_id", "miamidade"), ("jurisdiction_id", "miamidade"))
    assert found.problems == ()


def test_what_is_wrong_with_the_place_is_said_once() -> None:
    found = read(("lat", "1"), ("lat", "2"), ("long", "x"), point=False)
    assert [each.field for each in found.problems] == ["lat", "long"]


def test_line_ends_are_one_character_whoever_sends_them() -> None:
    found = read(("description", "a\r\nb\rc" + "\r\n" * 1990))
    assert found.submission is not None
    assert found.submission.description == "a\nb\nc"


def test_an_address_of_several_lines_is_one_line() -> None:
    found = read(("address_string", "19041 SW 318TH TER\r\n MIAMI,\tFL 33030"), point=False)
    assert found.submission is not None
    assert found.submission.place.address == "19041 SW 318TH TER MIAMI, FL 33030"


anything = st.text(max_size=30) | st.floats().map(str) | st.just("\ud800")
forms = st.lists(st.tuples(st.sampled_from(FIELDS) | st.text(max_size=12), anything), max_size=8)


@given(forms)
def test_any_form_is_read_or_refused_by_its_fields(pairs: list[tuple[str, str]]) -> None:
    found = read_form([*pairs, ("email", f"{SECRET} @")], CATALOGUE, AT)
    assert found.submission is None
    assert found.problems
    assert all(each.field and each.description for each in found.problems)
    assert SECRET not in repr(found.problems)


parts = st.dictionaries(
    st.sampled_from(("first_name", "last_name", "phone", "description", "address_string")),
    st.text("ab,:=&[]{}\"'", min_size=1, max_size=6),
)


@given(parts, parts)
def test_other_content_has_other_bytes(one: dict[str, str], other: dict[str, str]) -> None:
    first, second = read(*one.items()).submission, read(*other.items()).submission
    assert first is not None
    assert second is not None
    assert (first.canonical() == second.canonical()) == (one == other)
