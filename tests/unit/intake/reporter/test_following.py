"""The reporter's calls as a front end sees them: names, languages, places, documented statuses."""

from typing import Any

import pytest

from direct311.intake.request import Located, Note
from direct311.schemas import events as ev
from tests.support.gateway import Gateway
from tests.support.runtime import NOW

pytestmark = pytest.mark.anyio

GIVEN = ev.Place(latitude=25.6789, longitude=-80.3456)
FOUND = Located(
    outcome="resolved",
    latitude=25.6790,
    longitude=-80.3457,
    address="8500 SW 100TH ST",
    address_known=True,
    zip_code="33156",
)


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


async def followed(gateway: Gateway, language: str = "en", **fields: Any) -> dict[str, Any]:
    await gateway.intake.request(**fields)
    link = gateway.intake.link_signer.issue("r-1").token
    headers = {"Authorization": f"Bearer {link}", "Accept-Language": language}
    answer = gateway.http.get("/v1/requests/r-1/follow", headers=headers)
    assert answer.status_code == 200, answer.text
    assert (answer.headers["content-language"], answer.headers["vary"]) == (
        language,
        "Accept-Language",
    )
    assert answer.headers["cache-control"] == "no-store"
    return dict(answer.json())


@pytest.mark.parametrize(
    ("language", "service", "status", "department"),
    [
        ("en", "Stray or loose dog", "With the department.", "Animal Services"),
        ("es", "Perro callejero o suelto", "En manos del departamento.", "Servicios de Animales"),
        ("ht", None, "Nan men depatman an.", "Sèvis Bèt"),
    ],
)
async def test_following_is_in_the_readers_language(
    gateway: Gateway, language: str, service: str | None, status: str, department: str
) -> None:
    found = await followed(
        gateway,
        language,
        status="routed",
        department="animal_services",
        notes=(
            Note(at=NOW, kind="status", status="routed", text="On the way."),
            Note(at=NOW, kind="comment", text="A word."),
        ),
    )
    assert (found["status_text"], found["department_name"]) == (status, department)
    assert (found["status"], found["department"]) == ("routed", "animal_services")
    assert [each["status_text"] for each in found["history"]] == [status, None]
    assert [each["text"] for each in found["history"]] == ["On the way.", "A word."]
    assert found["service_name"]
    if service is not None:
        assert found["service_name"] == service


@pytest.mark.parametrize("language", ["en", "es", "ht"])
async def test_a_held_request_says_why_in_the_readers_language(
    gateway: Gateway, language: str
) -> None:
    found = await followed(
        gateway, language, status="identity_required", held_because="name_and_address"
    )
    assert found["held_because"] == "name_and_address"
    word = {"en": "complaint", "es": "queja", "ht": "plent"}[language]
    assert word in found["held_text"]


async def test_what_is_not_held_and_has_no_department_says_so(gateway: Gateway) -> None:
    found = await followed(gateway)
    names = ("held_because", "held_text", "department", "department_name")
    assert [found[name] for name in names] == [None] * 4


async def test_one_thing_has_one_name(gateway: Gateway) -> None:
    found = await followed(gateway, place=GIVEN, text="A dog.")
    assert (found["service_request_id"], found["description"]) == ("r-1", "A dog.")
    assert not {"id", "record_id", "text", "latitude"} & {*found, *found["place"]}
    link = gateway.intake.link_signer.issue("r-1").token
    held = gateway.resident("GET", "/v1/requests/r-1/subject", link).json()
    assert (held["service_request_id"], held["description"]) == ("r-1", "A dog.")
    assert held["place"]["lat"] == GIVEN.latitude
    withdrawn = gateway.resident("POST", "/v1/requests/r-1/withdraw", link).json()
    assert (withdrawn["service_request_id"], withdrawn["status"]) == ("r-1", "withdrawn")
    old = gateway.resident("POST", "/v1/requests/r-1/media", link, {"uploads": ["u-1"]})
    assert old.status_code == 422
    unknown = gateway.resident("POST", "/v1/requests/r-1/media", link, {"file_ids": ["u-1"]})
    assert (unknown.status_code, unknown.json()["field"]) == (422, "file_ids.0")


@pytest.mark.parametrize(
    ("fields", "address", "zip_code", "municipality"),
    [
        # Geo's own address, as the public row has it.
        ({"located": FOUND}, "8500 SW 100TH ST", "33156", None),
        # Geo knows no address: the area, as the public row has it.
        (
            {"located": FOUND.model_copy(update={"address_known": False})},
            "Unincorporated Miami-Dade, 33156",
            "33156",
            None,
        ),
        (
            {"located": FOUND.model_copy(update={"address_known": False, "municipality": "Doral"})},
            "Doral, 33156",
            "33156",
            "Doral",
        ),
        # What geo found is not shown before the registry was asked.
        ({"located": FOUND, "place_checked": False}, None, None, None),
        # A protected place shows its municipality only.
        (
            {"located": FOUND.model_copy(update={"municipality": "Doral"}), "protected": True},
            "Doral",
            None,
            "Doral",
        ),
        ({"located": None}, None, None, None),
    ],
)
async def test_the_place_has_what_the_public_row_has(
    gateway: Gateway,
    fields: dict[str, Any],
    address: str | None,
    zip_code: str | None,
    municipality: str | None,
) -> None:
    place = (await followed(gateway, place=GIVEN, **fields))["place"]
    assert place == {
        "lat": GIVEN.latitude,
        "long": GIVEN.longitude,
        "address": address,
        "address_id": None,
        "municipality": municipality,
        "zip_code": zip_code,
    }


async def test_what_the_reporter_gave_stays_theirs_to_see(gateway: Gateway) -> None:
    given = ev.Place(address="Behind the school", zip_code="33173")
    found = await followed(
        gateway, place=given, located=FOUND.model_copy(update={"address_known": False})
    )
    assert found["place"]["address"] == "Behind the school"
    # Where no point was given, the one that the public sees.
    assert (found["place"]["lat"], found["place"]["zip_code"]) == (FOUND.latitude, "33156")


@pytest.mark.parametrize("phone", ["abc", "12", "777-77", "call me", "1" * 16])
async def test_a_telephone_that_cannot_be_one_is_refused(gateway: Gateway, phone: str) -> None:
    before = await gateway.intake.request()
    link = gateway.intake.link_signer.issue("r-1").token
    answer = gateway.resident("POST", "/v1/requests/r-1/corrections", link, {"phone": phone})
    assert (answer.status_code, answer.json()["field"]) == (422, "phone")
    assert phone == "12" or phone not in answer.text
    assert gateway.intake.state() == before


async def test_all_that_is_wrong_is_named_each_with_a_code(gateway: Gateway) -> None:
    await gateway.intake.request()
    link = gateway.intake.link_signer.issue("r-1").token
    body = {"phone": "12", "first_name": "x" * 101, "last_name": "4012 8888 8888 1881"}
    answer = gateway.resident("POST", "/v1/requests/r-1/corrections", link, body)
    assert answer.status_code == 422
    assert {each["field"]: each["code"] for each in answer.json()["errors"]} == {
        "phone": "phone_form",
        "first_name": "plain_text",
        "last_name": "number_not_kept",
    }
    email = {"email": "zora@example.org"}
    unshown = gateway.resident("POST", "/v1/requests/r-1/corrections", link, email)
    assert unshown.json()["errors"][0]["code"] == "notice_required"
    empty = gateway.resident("POST", "/v1/requests/r-1/comments", link, {"text": " "})
    assert empty.json()["errors"][0]["code"] == "missing"


@pytest.mark.parametrize("phone", ["305-555-0143", "+1 (305) 555-0143 ext. 12"])
async def test_a_telephone_is_taken_as_people_write_it(gateway: Gateway, phone: str) -> None:
    await gateway.intake.request()
    link = gateway.intake.link_signer.issue("r-1").token
    answer = gateway.resident("POST", "/v1/requests/r-1/corrections", link, {"phone": phone})
    assert (answer.status_code, answer.json()["fields"]) == (200, ["phone"])


# ---------------------------------------------------------------- documented statuses

READS = {"401", "403", "404", "410", "422", "429", "503"}
BODY = {"400", "408", "413"}


@pytest.mark.parametrize(
    ("call", "statuses"),
    [
        ("get follow", READS),
        ("get subject", READS),
        ("post withdraw", READS | {"409"}),
        ("delete notifications", READS),
        ("post notifications", READS | BODY | {"409"}),
        ("post comments", READS | BODY | {"409"}),
        ("post media", READS | BODY | {"409"}),
        ("post corrections", READS | BODY | {"409"}),
        ("post codes", (READS | BODY) - {"410"}),
        ("post codes/redeem", (READS | BODY) - {"410"}),
    ],
)
async def test_each_call_documents_the_statuses_that_it_can_answer(
    gateway: Gateway, call: str, statuses: set[str]
) -> None:
    method, name = call.split()
    document = gateway.http.get("/openapi.json").json()
    operation = document["paths"][f"/v1/requests/{{service_request_id}}/{name}"][method]
    errors = {status for status in operation["responses"] if status >= "400"}
    assert errors == statuses


async def test_closed_comes_from_withdrawing_only(gateway: Gateway) -> None:
    await gateway.intake.request(status="fixed")
    link = gateway.intake.link_signer.issue("r-1").token
    closed = gateway.resident("POST", "/v1/requests/r-1/withdraw", link)
    assert (closed.status_code, closed.json()["title"]) == (409, "closed")
    said = gateway.resident("POST", "/v1/requests/r-1/comments", link, {"text": "Not fixed."})
    assert said.status_code == 201
    corrected = gateway.resident(
        "POST", "/v1/requests/r-1/corrections", link, {"phone": "305-555-0143"}
    )
    assert corrected.status_code == 200
