"""A case file from its receipt to its certificate of destruction, as its desk sees it."""

import json
from hashlib import sha256
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.protection.traces import trace
from tests.support import disposition
from tests.support.county import County, Document, until
from tests.support.runtime import IN_A_TOMBSTONE

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

LETTER = b"%PDF-1.7 a letter that nobody parses"
HASH = sha256(LETTER).hexdigest()
EMPTIED_KEY = {"_id", "created_at", "fetches", "fetched_at"}


async def opened(
    county: County, role: str = "custodian", name: str = "carla", kind: str = "public_records"
) -> str:
    order = {
        "kind": kind,
        "request": "Everything about the canary at 4417 Quetzal Terrace.",
        "contact": {"name": "Quillon Canary", "email": "quillon@canary.example"},
        "bounds": {"record_ids": [await disposition.kept(county)]},
    }
    made = await county.post("retention", "/v1/cases", order, role, name)
    return str(made["case_id"])


async def deposited(
    county: County, case_id: str, kind: str, role: str = "custodian", name: str = "carla"
) -> httpx.Response:
    path = f"/v1/cases/{case_id}/documents/{HASH}"
    params = {"kind": kind}
    return await county.ask("PUT", "retention", path, role, name, content=LETTER, params=params)


async def test_a_case_is_opened_at_its_own_desk_and_each_opening_is_an_entry(
    county: County,
) -> None:
    case_id = await opened(county)
    assert (await deposited(county, case_id, "letter")).status_code == 200
    path = f"/v1/cases/{case_id}"
    read = await county.get("retention", path, "custodian", "carla")
    assert read["request"].startswith("Everything about the canary")
    assert read["contact"]["email"] == "quillon@canary.example"
    document = await county.ask(
        "GET", "retention", f"{path}/documents/{HASH}", "custodian", "carla"
    )
    assert document.content == LETTER

    entries = []
    for field in ("case_request", "case_letter"):

        def is_it(entry: Document, field: str = field) -> bool:
            body = _body(entry)
            return body.get("action") == "view" and field in body["what"]["fields"]

        entries.append(await trace(county, f"record={case_id}", is_it))
    for entry in entries:
        body = _body(entry)
        assert body["why"]["purpose"] == "county_business"
        assert body["why"]["reference"] == body["why"]["case_id"] == case_id
        assert body["what"]["record_ids"] == [case_id]
        assert (body["where"]["service"], body["agent"]["id"]) == ("retention", "carla")

    # Audit has compared the openings with the key fetches that retention tells of.
    async def reconciled() -> bool:
        with county.database() as database:
            found = database["audit"]["entries"].find(
                {"_id": {"$in": [each["index"] for each in entries]}}
            )
            return all(each.get("opened") for each in found)

    await until(reconciled, "audit has read retention's key fetches")


def _body(entry: Document) -> dict[str, Any]:
    body = (entry["signed_event"] or {}).get("body")
    return dict(json.loads(body)) if isinstance(body, str) else dict(body or {})


async def test_bounds_of_a_record_that_nobody_has_are_refused(county: County) -> None:
    """They would stop nothing, and look as if they did."""
    unknown = str(uuid4())
    order = {"kind": "public_records", "request": "x", "bounds": {"record_ids": [unknown]}}
    answer = await county.ask("POST", "retention", "/v1/cases", "custodian", "carla", order)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == "bounds.record_ids.0"
    assert unknown not in answer.text
    path = f"/v1/cases/{await opened(county)}/bounds"
    answer = await county.ask(
        "PUT", "retention", path, "custodian", "carla", {"record_ids": [unknown]}
    )
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "record_ids.0")


async def test_for_everybody_else_the_case_does_not_exist(county: County) -> None:
    case_id = await opened(county, "liaison", "lars", "law_enforcement")
    assert (await deposited(county, case_id, "instrument", "liaison", "lars")).status_code == 200
    paths = (f"/v1/cases/{case_id}", f"/v1/cases/{case_id}/documents/{HASH}")
    for path in paths:
        for role, status in (
            ("custodian", 404),
            ("counsel", 403),
            ("auditor", 403),
            ("admin", 403),
            ("agent", 403),
        ):
            answer = await county.ask("GET", "retention", path, role, "nosy")
            assert answer.status_code == status, (role, path)
            assert "canary" not in answer.text.lower()
    cases = (await county.get("retention", "/v1/cases?limit=500", "custodian", "carla"))["cases"]
    assert {each["kind"] for each in cases} <= {"public_records"}
    assert case_id not in {each["case_id"] for each in cases}
    wrong = {"kind": "law_enforcement", "request": "x"}
    answer = await county.ask("POST", "retention", "/v1/cases", "custodian", "carla", wrong)
    assert answer.status_code == 403

    # In the inventory both kinds look alike.
    own = await opened(county)
    views = []
    for each in (case_id, own):

        async def filed(case_id: str = each) -> Document:
            return await disposition.record(county, case_id)

        view = await until(filed, "the case file is in the inventory")
        views.append({key for key in view if view[key]})
        assert view["items"] == [23, 374]
    assert views[0] == views[1]


async def test_a_withdrawn_case_is_destroyed_by_two_persons_with_its_key_and_documents(
    county: County,
) -> None:
    case_id = await opened(county)
    assert (await deposited(county, case_id, "letter")).status_code == 200
    path = f"/v1/cases/{case_id}"
    await county.post("retention", f"{path}/close", {"outcome": "withdrawn"}, "custodian", "carla")
    # Closed is not destroyed.
    assert (await county.get("retention", path, "custodian", "carla"))["state"] == "closed"

    async def dated() -> bool:
        return bool((await disposition.record(county, case_id)).get("eligible_on"))

    await until(dated, "the clock of the case file runs")
    body = {"as_of": disposition.as_of().isoformat(), "dry_run": False}
    await county.post("retention", "/v1/expiry", body, "custodian", "carla")

    async def eligible() -> bool:
        return (await disposition.record(county, case_id)).get("state") == "eligible"

    await until(eligible, "the case file is eligible")
    proposal = await disposition.proposed(county, case_id)
    await disposition.approved(county, proposal)
    certificate = await disposition.certificate(county, proposal)
    receipts = {each["holder"] for each in certificate["receipts"]}
    assert receipts == {"intake", "media", "geo", "routing", "retention"}
    assert (certificate["item_number"], certificate["volume_files"]) == ("23", 1)

    for gone in (path, f"{path}/documents/{HASH}"):
        answer = await county.ask("GET", "retention", gone, "custodian", "carla")
        assert answer.status_code == 404
    with county.database() as database:
        tombstone = database["retention"]["cases"].find_one({"_id": case_id})
        key = database["retention"]["keys"].find_one({"_id": case_id})
    assert tombstone is not None
    assert set(tombstone) <= IN_A_TOMBSTONE
    assert key is not None
    assert set(key) <= EMPTIED_KEY
    objects = county.store().list_objects(
        bucket_name="direct311-cases", recursive=True, include_version=True
    )
    assert not [each for each in objects if case_id in str(each.object_name)]
