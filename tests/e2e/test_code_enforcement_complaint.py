"""A complaint about a code violation: its reporter's name and address are public records, and one
without them is kept and not investigated (sections 125.69, 162.06 and 162.21, F.S.)."""

import io
import json
import zipfile

import pytest

from tests.e2e.test_case_review import settled
from tests.e2e.test_public_records_all_the_way import PublicCase
from tests.support.county import County, until
from tests.support.submissions import ENFORCEMENT, submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P3", "P13")]

NAME = {"first_name": "Philippa", "last_name": "Aguilera-Combs"}
ADDRESS = "20990 SW 190 Avenue"
PHONE = "305-555-0164"
FIELDS = ["first_name", "last_name", "reporter_address", "phone", "description"]


async def complained(county: County, number: int) -> tuple[str, str]:
    """A complaint without name and address, and the link of whoever sent it."""
    sent = submission(number, ENFORCEMENT, reported=False, phone=PHONE)
    answer = await county.submit([*sent.items(), ("extensions", "true")])
    assert answer.status_code == 200, answer.text
    (told,) = answer.json()
    return told["service_request_id"], told["extended_attributes"]["link_token"]


async def held(county: County, record_id: str) -> None:
    async def waits() -> bool:
        return (await county.job(record_id)).get("status") == "identity_required"

    await until(waits, "the complaint is held")


async def test_a_complaint_is_released_with_its_reporters_name_and_address(county: County) -> None:
    record_id, token = await complained(county, 4_980)
    await held(county, record_id)
    url = f"{county.known.services['intake']}/v1/requests/{record_id}/corrections"
    named = NAME | {"reporter_address": ADDRESS}
    link = {"Authorization": f"Bearer {token}"}
    assert (await county.http.post(url, json=named, headers=link)).status_code == 200
    await settled(county, record_id)
    assert (await county.job(record_id))["department"] == "regulatory"
    # On the public map it has neither.
    shown = json.dumps(await county.request(record_id))
    assert ADDRESS not in shown
    assert NAME["last_name"] not in shown

    work = PublicCase(county)
    await work.opened()

    async def identified() -> bool:
        order = {"record_ids": [record_id], "complete": True}
        return (await work.desk("POST", "/records", order)).status_code == 200

    await until(identified, "the inventory knows the complaint")
    grant = await work.prepared(record_ids=[record_id], fields=FIELDS)
    await work.approved(grant)
    await work.reads(record_id)

    # Nothing proposes to withhold them: in Florida they are public.
    review = await work.reviewed(record_id)
    assert (review["proposals"], review["undecided"]) == ([], [])
    assert review["texts"]["reporter_address"] == ADDRESS
    decided = await work.decide(record_id, review["version"])
    assert decided.json()["reviewed"] is True, decided.text

    async def collected() -> bool:
        return not (await work.desk("POST", "/collection", {})).json()["remaining"]

    await until(collected, "the complaint is collected")
    built = await work.built()
    assert built.status_code == 201, built.text
    package = str(built.json()["packages"][-1]["sha256"])
    # Without an exemption the records officer approves alone.
    assert await work.approve_package(package, "records_officer") == "approved"
    out = await work.desk("POST", f"/packages/{package}/release", {})
    assert out.status_code == 200, out.text
    got = await work.by_token("/package")
    with zipfile.ZipFile(io.BytesIO(got.content)) as archive:
        record = json.loads(archive.read(f"data/records/{record_id}.json"))
        assert json.loads(archive.read("exemption-log.json")) == []
    assert record["public"]["service_code"] == ENFORCEMENT
    assert record["fields"]["reporter_address"] == ADDRESS
    assert {name: record["fields"][name] for name in NAME} == NAME
    assert record["fields"]["phone"] == PHONE
    closed = await work.desk("POST", "/close", {"outcome": "full"})
    assert closed.status_code == 200, closed.text


async def test_an_anonymous_complaint_is_kept_and_not_investigated(county: County) -> None:
    record_id, _ = await complained(county, 4_981)
    await held(county, record_id)
    await county.caught_up()
    assert (await county.job(record_id))["routed"] is None
    assert await county.received("regulatory", record_id) == []
    shown = await county.request(record_id)
    assert (shown["status"], shown["agency_responsible"]) == ("open", None)
    assert shown["extended_attributes"]["status"] == "identity_required"
