"""The catalogue as clients use it: languages, conditional questions, batch and blackbox types."""

from uuid import uuid4

import pytest

from tests.support.county import County, Document, until, xml
from tests.support.submissions import ENFORCEMENT, submission

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

FORMS = ("json", "xml")
BATCH = "SIGN-CRASH-STUDY"
BLACKBOX = "ANI-KEEP-PET"
CONDITIONAL = "LIGHT-STREET"
SPANISH = {"Accept-Language": "es-MX,es;q=0.9,en;q=0.5"}
CREOLE = {"Accept-Language": "fr;q=0.9, ht-HT;q=0.8, en;q=0.1"}
NAMES = {"en": "Pothole", "es": "Bache", "ht": "Twou nan lari a"}


async def get(county: County, path: str, headers: dict[str, str] | None = None) -> Document:
    """The answer to a GET below `/open311/v2/` as `{"status", "headers", "body"}`."""
    url = f"{county.known.services['intake']}/open311/v2/{path}"
    answer = await county.http.get(url, headers=headers)
    body = answer.json() if path.partition("?")[0].endswith("json") else xml(answer)
    return {"status": answer.status_code, "headers": answer.headers, "body": body}


async def once_checked(county: County, token: str) -> str:
    """The number that a token leads to, once there is one."""

    async def look() -> str | None:
        (found,) = (await get(county, f"tokens/{token}.json"))["body"]
        assert found["token"] == token
        number: str | None = found.get("service_request_id")
        return number

    return await until(look, f"token {token} leads to a number")


# ---------------------------------------------------------------- languages


@pytest.mark.parametrize(
    ("headers", "language"),
    [
        ({}, "en"),
        (SPANISH, "es"),
        (CREOLE, "ht"),
        ({"Accept-Language": "de"}, "en"),
        ({"Accept-Language": "es;q=nonsense"}, "en"),
    ],
)
async def test_the_catalogue_is_answered_in_the_language_that_is_liked_best(
    county: County, headers: dict[str, str], language: str
) -> None:
    listed = await get(county, "services.json?jurisdiction_id=miamidade.gov", headers)
    assert listed["headers"]["Content-Language"] == language
    assert "Accept-Language" in listed["headers"]["Vary"]
    pothole = next(e for e in listed["body"] if e["service_code"] == "ROAD-POTHOLE")
    assert pothole["service_name"] == NAMES[language]
    assert pothole["keywords"]
    tree = (await get(county, "services.xml", headers))["body"]
    names = {e.findtext("service_code"): e.findtext("service_name") for e in tree}
    assert names["ROAD-POTHOLE"] == NAMES[language]
    assert len(names) == len(listed["body"]) == 152

    definition = await get(county, "services/ROAD-POTHOLE.json", headers)
    assert definition["headers"]["Content-Language"] == language
    size = definition["body"]["attributes"][0]
    assert [each["key"] for each in size["values"]] == ["plate", "tire", "larger"]
    tree = (await get(county, "services/ROAD-POTHOLE.xml", headers))["body"]
    assert tree.findtext("attributes/attribute/description") == size["description"]


async def test_requests_and_notices_are_answered_in_the_language_that_is_liked_best(
    county: County,
) -> None:
    fields = submission(900, ENFORCEMENT, reported=False)
    key = {"Idempotency-Key": "e2e-900"}
    told = {}
    for language, headers in (("en", {}), ("es", SPANISH), ("ht", CREOLE)):
        answer = await county.submit(fields, headers={**key, **headers})
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Language"] == language
        told[language] = answer.json()[0]
    assert len({each["service_request_id"] for each in told.values()}) == 1
    assert "public record" in told["en"]["service_notice"]
    assert "registro público" in told["es"]["service_notice"]
    assert "dosye piblik" in told["ht"]["service_notice"]

    path = f"requests/{told['en']['service_request_id']}"
    for form in FORMS:
        shown = await get(county, f"{path}.{form}", SPANISH)
        assert shown["headers"]["Content-Language"] == "es"
        body = shown["body"]
        name = body[0]["service_name"] if form == "json" else body.findtext("request/service_name")
        notes = body[0]["status_notes"] if form == "json" else body.findtext("request/status_notes")
        assert name == "Chatarra, basura o maleza en una propiedad"
        assert notes.startswith(("Recibida.", "En espera:"))

    # Errors are for programs and stay as they are.
    refused = await county.submit({**fields, "lat": "91"}, headers=SPANISH)
    assert "must be decimal degrees" in refused.json()[0]["description"]


async def test_the_policys_language_parameter_wins_over_the_header(county: County) -> None:
    for path, headers, language in (
        ("/v1/policy", SPANISH, "es"),
        ("/v1/policy", {}, "en"),
        ("/v1/policy?language=ht", SPANISH, "ht"),
        ("/v1/policy/2026-1", CREOLE, "ht"),
        ("/v1/policy/2026-1?language=en", CREOLE, "en"),
    ):
        answer = await county.http.get(county.known.services["intake"] + path, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()["language"] == answer.headers["Content-Language"] == language
        assert "Accept-Language" in answer.headers["Vary"]
    bad = await county.http.get(county.known.services["intake"] + "/v1/policy?language=fr")
    assert bad.status_code == 422


@pytest.mark.policy("P13")
@pytest.mark.parametrize("headers", [{}, SPANISH, CREOLE])
async def test_a_complainant_reads_that_name_and_address_become_public_before_being_asked(
    county: County, headers: dict[str, str]
) -> None:
    attributes = (await get(county, f"services/{ENFORCEMENT}.json", headers))["body"]["attributes"]
    notice, address = attributes[:2]
    assert (notice["code"], notice["variable"], notice["order"]) == ("IDENTITY_NOTICE", False, 1)
    assert (address["code"], address["variable"], address["order"]) == ("REPORTER_ADDRESS", True, 2)
    words = ("public record", "registro público", "dosye piblik")
    assert any(each in notice["description"] for each in words)
    assert any(each in address["datatype_description"] for each in words)
    # It is a text to read: it cannot be answered.
    answer = await county.submit(
        submission(901, ENFORCEMENT) | {"attribute[IDENTITY_NOTICE]": "I have read it"}
    )
    assert answer.status_code == 400
    assert "read it" not in answer.text


# ---------------------------------------------------------------- conditional questions


async def test_a_conditional_question_is_understood_without_knowing_of_conditions(
    county: County,
) -> None:
    attributes = (await get(county, f"services/{CONDITIONAL}.json"))["body"]["attributes"]
    wires = next(each for each in attributes if each["code"] == "BARE_WIRES")
    assert wires["required"] is False
    assert "What is wrong with the light?" in wires["datatype_description"]
    assert wires["asked_if"] == {"code": "PROBLEM", "keys": ["damaged"], "required": True}
    tree = (await get(county, f"services/{CONDITIONAL}.xml"))["body"]
    element = next(
        each for each in tree.find("attributes") if each.findtext("code") == "BARE_WIRES"
    )
    assert element.findtext("required") == "false"
    assert element.findtext("datatype_description") == wires["datatype_description"]
    assert [each.text for each in element.findall("asked_if/keys/key")] == ["damaged"]


@pytest.mark.parametrize("form", FORMS)
async def test_a_conditional_answer_is_wanted_where_its_condition_holds_and_refused_elsewhere(
    county: County, form: str
) -> None:
    async def answered(**answers: str) -> tuple[int, list[str]]:
        fields = submission(910, CONDITIONAL) | {
            f"attribute[{code}]": value for code, value in answers.items()
        }
        answer = await county.submit(fields, form=form)
        if answer.status_code == 200:
            return 200, []
        if form == "json":
            return answer.status_code, [each["description"] for each in answer.json()]
        return answer.status_code, [each.text or "" for each in xml(answer).iter("description")]

    assert await answered(PROBLEM="out") == (200, [])
    assert await answered(PROBLEM="damaged", BARE_WIRES="yes") == (200, [])
    assert await answered(PROBLEM="damaged") == (
        400,
        ["attribute[BARE_WIRES] is required if attribute[PROBLEM] is damaged"],
    )
    for answers in ({"PROBLEM": "out", "BARE_WIRES": "yes"}, {"BARE_WIRES": "yes"}):
        assert await answered(**answers) == (
            400,
            ["attribute[BARE_WIRES] is asked only if attribute[PROBLEM] is damaged"],
        )


# ---------------------------------------------------------------- batch


async def test_a_batch_request_has_a_token_that_leads_to_its_number_once_its_place_was_checked(
    county: County,
) -> None:
    fields = submission(970, BATCH)
    header = {"Idempotency-Key": str(uuid4())}
    first = await county.submit(fields, headers=header)
    assert first.status_code == 200, first.text
    (taken,) = first.json()
    assert set(taken) == {"token", "service_notice", "account_id"}
    assert taken["service_notice"]
    token = taken["token"]

    again = await county.submit(fields, headers=header, form="xml")
    tree = xml(again)
    assert tree.findtext("request/token") == token
    assert tree.find("request/service_request_id") is None
    guessed = {"Idempotency-Key": f"call-{uuid4().hex[:6]}"}
    (other,) = (await county.submit(fields, headers=guessed)).json()
    assert other["token"] not in (None, token)
    (repeated,) = (await county.submit(fields, headers=guessed)).json()
    assert "token" not in repeated

    number = await once_checked(county, token)
    assert number != token
    tree = (await get(county, f"tokens/{token}.xml"))["body"]
    assert tree.findtext("request/service_request_id") == number
    assert tree.findtext("request/token") == token
    shown = await county.request(number)
    assert shown["service_code"] == BATCH
    assert shown["lat"] is not None
    # Later repeats still answer with the token.
    assert (await county.submit(fields, headers=header)).json()[0]["token"] == token
    # Staff and the department see it as usual.
    assert (await county.routed(number))["department"] == "transportation"
    contact = await county.read_contact(number, "agent", "ana")
    assert contact.status_code == 200


async def test_a_token_says_nothing_of_its_request_and_a_number_is_no_token(county: County) -> None:
    (taken,) = (await county.submit(submission(971, BATCH), form="json")).json()
    number = await once_checked(county, taken["token"])
    assert number.replace("-", "") not in taken["token"]
    realtime = await county.accepted(submission(972))
    for form in FORMS:
        for unknown in (number, realtime, "no-such-token", "0" * 40):
            answer = await county.open311(f"tokens/{unknown}.{form}")
            assert answer.status_code == 404, unknown
            assert unknown not in answer.text
    # No link either: it would name the request.
    (with_link,) = (
        await county.submit({**submission(973, BATCH), "extensions": "true"}, form="json")
    ).json()
    assert "extended_attributes" not in with_link


# ---------------------------------------------------------------- blackbox


async def test_a_blackbox_request_has_no_number_and_never_shows_in_public(county: County) -> None:
    description = "A family that cannot keep its dog."
    # Nobody else has this number, since the request is found by it.
    fields = submission(930, BLACKBOX, phone="786-555-0163")
    fields |= {"description": description, "extensions": "true"}
    header = {"Idempotency-Key": "e2e-930"}
    answer = await county.submit(fields, headers=header)
    assert answer.status_code == 200, answer.text
    (taken,) = answer.json()
    assert set(taken) == {"service_request_id", "service_notice", "account_id"}
    assert taken["service_request_id"] is None
    assert taken["service_notice"]
    tree = xml(await county.submit(fields, headers=header, form="xml"))
    assert tree.findtext("request/service_request_id") == ""
    assert tree.find("request/token") is None

    # Staff find it by its reporter and by its number, and the department has it.
    async def found() -> str | None:
        page = await county.post(
            "intake",
            "/internal/persons/resolve",
            {"purpose": "respond", "phone": fields["phone"], "justification": "calls about a dog"},
            "agent",
        )
        ids = sorted(page["record_ids"])
        return ids[-1] if ids else None

    number = await until(found, "staff find the request")
    job = await county.routed(number)
    assert job["department"] == "animal_services"
    await until(
        lambda: county.received("animal_services", number), "the department has it on its topic"
    )
    assert (await county.read_contact(number, "agent", "ana")).status_code == 200

    for form in FORMS:
        assert (await county.open311(f"requests/{number}.{form}")).status_code == 404
        assert (await county.open311(f"tokens/{number}.{form}")).status_code == 404
    by_id = await county.open311("requests.json", service_request_id=number)
    assert by_id.json() == []
    # Its place was checked before it was routed, so a list that would have it has it by now.
    listed = await county.open311("requests.json", service_code=BLACKBOX, page_size="1000")
    assert listed.json() == []


# ---------------------------------------------------------------- the list of types


async def test_the_list_says_of_each_type_how_its_number_comes(county: County) -> None:
    for form in FORMS:
        body = (await get(county, f"services.{form}"))["body"]
        kinds = (
            {each["service_code"]: each["type"] for each in body}
            if form == "json"
            else {each.findtext("service_code"): each.findtext("type") for each in body}
        )
        assert (kinds[BATCH], kinds[BLACKBOX], kinds[CONDITIONAL]) == (
            "batch",
            "blackbox",
            "realtime",
        )
        unknown = await county.open311(f"services.{form}", jurisdiction_id="nowhere")
        assert unknown.status_code == 404


async def test_discovery_is_complete_in_both_formats(county: County) -> None:
    url = f"{county.known.services['intake']}/open311/discovery"
    found = (await county.http.get(f"{url}.json")).json()
    assert set(found) == {"changeset", "contact", "key_service", "endpoints"}
    (endpoint,) = found["endpoints"]
    assert not endpoint["url"].endswith("/")
    assert endpoint["formats"] == ["text/xml", "application/json"]
    tree = xml(await county.http.get(f"{url}.xml"))
    assert tree.tag == "discovery"
    assert tree.findtext("endpoints/endpoint/url") == endpoint["url"]
    formats = [each.text for each in tree.findall("endpoints/endpoint/formats/format")]
    assert formats == endpoint["formats"]
    assert (await get(county, "services.json"))["status"] == 200
