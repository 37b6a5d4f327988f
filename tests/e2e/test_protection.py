"""Of a protected person nothing shows but the municipality (section 119.071(4)(d), F.S.)."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping

import pytest

from tests.support.county import County, Document, until
from tests.support.submissions import ENFORCEMENT, photo, submission

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

TYPE = "ANI-TETHERED-DOG"
ORDER = {"reference": "PR-1", "citation": "section 119.071(4)(d)2.a., F.S."}
ADDRESS = "11500 SW 104TH ST, 33176"
POINT = (25.672500, -80.371300)
ABOUT_TEN_METRES = 0.0001

GIVEN: Mapping[str, tuple[Document, dict[str, str]]] = {
    "address": ({"address": "11500 Southwest 104 Street"}, {"address_string": ADDRESS}),
    "point": (
        {"latitude": POINT[0], "longitude": POINT[1]},
        {"lat": str(POINT[0] + ABOUT_TEN_METRES), "long": str(POINT[1])},
    ),
    "telephone": (
        {"phone": "(786) 555-0163"},
        {"lat": "25.60", "long": "-80.40", "phone": "7865550163"},
    ),
    "e-mail": (
        {"email": "Protected.One@example.com"},
        {"lat": "25.61", "long": "-80.40", "email": "protected.one@EXAMPLE.com"},
    ),
    "reporter's address": (
        {"address": "20450 SW 190 Avenue"},
        {
            "service_code": ENFORCEMENT,
            "lat": "25.64",
            "long": "-80.40",
            "attribute[REPORTER_ADDRESS]": "20450 Southwest 190th Ave",
        },
    ),
    "name": (
        {"name": "Núñez, Protegida"},
        {
            "lat": "25.62",
            "long": "-80.40",
            "first_name": "protegida",
            "last_name": "Nunez",
        },
    ),
}


async def _protect(county: County, registry: list[str], **person: object) -> None:
    answer = await county.post("intake", "/v1/protections", ORDER | person, "custodian", "carla")
    registry.append(answer["protection_id"])


async def _listed(county: County) -> set[str]:
    answer = await county.open311("requests.json", service_code=TYPE, page_size="1000")
    return {each["service_request_id"] for each in answer.json()}


async def _as_many(found: list[str], number: int) -> bool:
    return len(found) >= number


def _says_no_more_than_the_municipality(shown: Mapping[str, object], place: object) -> None:
    assert shown["lat"] is None
    assert shown["long"] is None
    assert shown["zipcode"] is None
    assert shown["media_url"] is None
    assert isinstance(place, dict)
    assert {key for key, value in place.items() if value is not None} <= {"municipality"}
    assert shown["address"] == (place.get("municipality") or "Unincorporated Miami-Dade")


@pytest.mark.policy("P8", "P20")
@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
async def test_a_protected_request_is_in_no_list_and_shows_its_municipality_alone(
    county: County, registry: list[str], given: tuple[Document, dict[str, str]]
) -> None:
    protected, place = given
    await _protect(county, registry, **protected)
    fields = {**submission(200, TYPE, {}), **place}
    record_id = await county.accepted(
        fields, [("a.jpg", photo("x", (25, 40, 1), (80, 20, 1)), "image/jpeg")]
    )
    early = await county.request(record_id)
    assert (early["lat"], early["long"]) == (None, None)
    open_ = await county.accepted(submission(201, TYPE, {"lat": "25.70", "long": "-80.40"}))
    job = await county.routed(record_id)
    await county.routed(open_)

    async def listed() -> bool:
        return open_ in await _listed(county)

    await until(listed, "an open request is in the list")
    assert record_id not in await _listed(county)
    assert job["routed"]["protected"]
    _says_no_more_than_the_municipality(await county.request(record_id), job["routed"]["place"])
    department = job["routed"]["department"]
    (copy,) = await county.received(department, record_id)
    assert copy["protected"]
    assert {key for key, value in copy["place"].items() if value} <= {"municipality"}
    assert not copy.get("media")
    assert ADDRESS.split(",")[0] not in json.dumps(copy)


@pytest.mark.policy("P8")
async def test_a_protection_that_comes_later_takes_the_request_out_of_sight_and_back(
    county: County, registry: list[str]
) -> None:
    fields = submission(202, TYPE, {"lat": "25.63", "long": "-80.41"}, phone="786-555-0164")
    record_id = await county.accepted(fields)

    async def seen() -> bool:
        return record_id in await _listed(county)

    async def unseen() -> bool:
        return record_id not in await _listed(county)

    async def told(protected: bool) -> Document | None:
        copies = await county.received("animal_services", record_id)
        return copies[-1] if copies and copies[-1]["protected"] is protected else None

    await until(seen, "the request is in the list")
    await until(lambda: told(False), "the department has the request")
    await _protect(county, registry, phone="786-555-0164")
    await until(unseen, "the request leaves the list")
    copy = await until(lambda: told(True), "the department is told")
    assert {key for key, value in copy["place"].items() if value} <= {"municipality"}
    await county.unprotect(registry[-1])
    await until(seen, "the request is back in the list")


@pytest.mark.policy("P8", "P20")
async def test_a_protection_entered_while_submissions_are_in_flight_misses_none(
    county: County, registry: list[str]
) -> None:
    """Whatever the order in which a submission and the entry arrive, once the entry is answered no
    public answer shows a place, and none of these is ever listed from then on."""
    phone = "786-555-0166"
    accepted: list[str] = []
    entered = asyncio.Event()

    async def submitting(number: int) -> None:
        while not entered.is_set():
            fields = submission(
                300 + number, TYPE, {"lat": f"25.6{number}1", "long": "-80.42"}, phone=phone
            )
            accepted.append(await county.accepted(fields))

    async def entering() -> None:
        await until(lambda: _as_many(accepted, 8), "some were accepted before")
        await _protect(county, registry, phone=phone)
        entered.set()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(entering())
        for number in range(4):
            tasks.create_task(submitting(number))
    early = set(accepted)
    seen = await _listed(county)
    assert not seen & early
    late = [
        await county.accepted(
            submission(310 + n, TYPE, {"lat": "25.651", "long": "-80.43"}, phone=phone)
        )
        for n in range(3)
    ]
    for record_id in (*early, *late):
        # From the first answer on, and after each change.
        shown = await county.request(record_id)
        assert (shown["lat"], shown["long"], shown["description"]) == (None, None, None)
    for record_id in (*early, *late):
        await county.routed(record_id)
        shown = await county.request(record_id)
        assert (shown["lat"], shown["long"], shown["description"]) == (None, None, None)
        assert not await _listed(county) & {record_id}


@pytest.mark.policy("P8", "P20")
async def test_a_later_protection_takes_place_text_and_public_picture_away_within_a_minute(
    county: County, registry: list[str]
) -> None:
    point = {"lat": "25.6450", "long": "-80.4450"}
    record_id = await county.accepted(
        submission(203, TYPE, point),
        [("a.jpg", photo("y", (25, 38, 1), (80, 26, 1)), "image/jpeg")],
    )

    async def pictured() -> str | None:
        url: str | None = (await county.request(record_id))["media_url"]
        return url

    url = await until(pictured, "the clean copy is public")
    assert (await county.http.get(url)).status_code == 200
    await _protect(county, registry, latitude=25.6450, longitude=-80.4450)
    # The answer to the entry is the promise: what was there shows nothing any more.
    shown = await county.request(record_id)
    assert record_id not in await _listed(county)
    assert (shown["lat"], shown["zipcode"], shown["media_url"]) == (None, None, None)
    assert shown["extended_attributes"]["photos"] == []

    async def gone() -> bool:
        return (await county.http.get(url)).status_code in (403, 404)

    await until(gone, "the public copy is withdrawn from its store")
    answer = await county.open311("requests.json", service_request_id=record_id)
    (row,) = answer.json()
    assert (row["lat"], row["long"], row["media_url"]) == (None, None, None)


@pytest.mark.policy("P3", "P8")
async def test_a_complaint_is_held_until_its_reporter_has_given_name_and_address(
    county: County,
) -> None:
    sent = submission(111, ENFORCEMENT, reported=False)
    answer = await county.submit([*sent.items(), ("extensions", "true")])
    (told,) = answer.json()
    for word in ("public record", "162.06"):
        assert word in told["service_notice"]
    record_id = told["service_request_id"]
    link = {"Authorization": f"Bearer {told['extended_attributes']['link_token']}"}
    url = f"{county.known.services['intake']}/v1/requests/{record_id}/corrections"

    async def held() -> bool:
        return (await county.job(record_id)).get("status") == "identity_required"

    await until(held, "the complaint is held")
    assert "public record" in (await county.request(record_id))["status_notes"]
    name = {"first_name": "Zoraida", "last_name": "Quintanilla"}
    assert (await county.http.post(url, json=name, headers=link)).status_code == 200
    assert (await county.request(record_id))["extended_attributes"]["status"] == "identity_required"
    address = {"reporter_address": "20990 SW 190 Avenue"}
    assert (await county.http.post(url, json=address, headers=link)).status_code == 200
    job = await county.routed(record_id)
    assert job["department"] == "regulatory"
    shown = json.dumps(await county.request(record_id))
    for secret in ("Zoraida", "Quintanilla", "20990 SW"):
        assert secret not in shown


async def test_only_a_custodian_enters_a_protection_and_nothing_of_it_is_echoed(
    county: County,
) -> None:
    order = ORDER | {"phone": "786-555-0165"}
    for role in ("agent", "admin", "auditor", "department:parks"):
        refused = await county.ask("POST", "intake", "/v1/protections", role, "eva", order)
        assert refused.status_code == 403, role
    malformed = await county.ask(
        "POST", "intake", "/v1/protections", "custodian", "carla", ORDER | {"phone": "Zoraida's"}
    )
    assert malformed.status_code == 422
    assert malformed.json()["field"] == "phone"
    assert "Zoraida" not in malformed.text


async def test_a_custodian_enters_lists_and_ends_by_the_command(county: County) -> None:
    environ = {
        **os.environ,
        "DIRECT311_STACK": str(county.stack.root / "dev.json"),
        "COLUMNS": "200",
    }

    async def says(*words: str, typed: str = "") -> str:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "direct311.cli", "protection", *words),
            env=environ,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate(typed.encode())
        assert process.returncode == 0, out.decode()
        assert "786-555-0167" not in out.decode()
        return out.decode()

    order = ("--reference", "PR-9", "--citation", str(ORDER["citation"]), "--phone", "786-555-0167")
    entered = await says("add", *order, "--received-on", "2026-01-05")
    protection_id = json.loads(entered)["protection_id"]
    assert json.loads(await says("show", protection_id))["received_on"] == "2026-01-05"
    assert "PR-9" in await says("list")
    assert "proposed" in await says("end", protection_id, "--reference", "PR-10")
    assert "in force" in await says("end", protection_id, "--undo")
    await says("end", protection_id, "--reference", "PR-10")
    words = ("--reference", "PR-10", "--confirm", "--officer", "--as", "officer-1")
    assert "ends at" in await says("end", protection_id, *words)

    async def over() -> bool:
        path = f"/v1/protections/{protection_id}"
        return bool((await county.get("intake", path, "custodian", "carla"))["keep_until"])

    await until(over, "the protection has ended")
    assert json.loads(await says("show", protection_id))["keep_until"]
    assert "PR-9" not in await says("list")
    assert "PR-9" in await says("list", "--all")
    proposed = json.loads(await says("dispose", protection_id))
    assert proposed["disposal_proposed_by"] == "custodian-1"
    done = json.loads(await says("dispose", protection_id, "--approve", "--as", "officer-1"))
    assert (done["proposed_by"], done["approved_by"]) == ("custodian-1", "officer-1")
    assert "PR-9" not in await says("list", "--all")
    with county.database() as database:
        left = database["intake"].protections.find_one({"_id": protection_id})
    assert left is not None
    assert "PR-9" not in str(left)
    assert left.keys().isdisjoint(
        {"reference", "citation", "kinds", "hashes", "entered_by", "ending"}
    )
