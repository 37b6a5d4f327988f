"""Expired is not destroyed: two persons, holds, destruction by every holder, a certificate."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date

import pytest

from tests.support import disposition
from tests.support.county import County, Document, until
from tests.support.runtime import IN_A_TOMBSTONE
from tests.support.submissions import photo, submission

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

PHOTO = photo("x", (25, 40, 1), (80, 20, 1))
TOPICS = (
    "request.created",
    "request.updated",
    "location.resolved",
    "media.stored",
    "request.routed",
    "work.updated",
    "record.expired",
)
HOLDERS = {
    "intake": ("requests", "keys"),
    "media": ("records", "keys"),
    "geo": ("records",),
    "routing": ("jobs",),
}
EMPTIED_KEY = {"_id", "created_at", "fetches", "fetched_at"}


async def _photographed(county: County, number: int) -> tuple[str, str]:
    """A request with its published photo: its id and the photo's address."""
    record_id = await county.accepted(submission(number), [("a.jpg", PHOTO, "image/jpeg")])

    async def shown() -> str | None:
        url = (await county.request(record_id))["media_url"]
        return str(url) if url else None

    return record_id, await until(shown, "the photo is published")


@pytest.mark.policy("P14", "P20")
async def test_two_persons_destroy_a_record_everywhere_and_nothing_brings_it_back(
    county: County,
) -> None:
    record_id, url = await _photographed(county, 300)
    read = await county.read_contact(record_id, "agent", "olga")
    assert read.status_code == 200
    await disposition.eligible(county, record_id)
    # Expired is only announced: everything is still there.
    assert (await county.read_contact(record_id, "agent", "olga")).status_code == 200
    assert (await county.http.get(url)).status_code == 200

    proposal = await disposition.proposed(county, record_id)
    assert [each["record_id"] for each in proposal["records"]] == [record_id]
    path = f"/v1/dispositions/{proposal['disposition_id']}/approve"
    for name, role, set_hash, status in (
        ("carla", "records_officer", proposal["set_hash"], 403),
        ("raul", "custodian", proposal["set_hash"], 403),
        ("raul", "agent", proposal["set_hash"], 403),
        ("raul", "records_officer", "0" * 64, 409),
    ):
        refused = await county.ask("POST", "retention", path, role, name, {"set_hash": set_hash})
        assert refused.status_code == status, (name, role, refused.text)
    assert (await county.read_contact(record_id, "agent", "olga")).status_code == 200
    await disposition.approved(county, proposal)
    certificate = await disposition.certificate(county, proposal)
    _has_the_six_fields(certificate)
    assert {each["holder"] for each in certificate["receipts"]} == set(HOLDERS)

    await _is_gone(county, record_id, url)
    left = await _left(county, record_id)
    # The same bytes again, as a broker would that had lost its offsets.
    old = [each for each in await county.messages(*TOPICS) if each.key == record_id.encode()]
    assert {each.topic for each in old} == set(TOPICS)
    await county.say_again(old)
    await county.caught_up()
    await _is_gone(county, record_id, url)
    assert await _left(county, record_id) == left


def _has_the_six_fields(certificate: Document) -> None:
    """Schedule number, item number, title, inclusive dates, volume, manner and date of disposal."""
    assert certificate["schedule_number"] == "GS1-SL"
    assert certificate["item_number"] == "234"
    assert certificate["series_title"]
    first, last = (date.fromisoformat(day) for day in certificate["inclusive_dates"])
    assert first <= last
    assert certificate["volume_records"] == 1
    assert certificate["volume_files"] >= 2
    assert certificate["volume_bytes"] > 0
    assert certificate["manner"]
    assert date.fromisoformat(certificate["disposed_on"]) >= last
    assert certificate["custodian"] != certificate["records_officer"]


async def _is_gone(county: County, record_id: str, url: str) -> None:
    for role in ("agent", "department:animal_services"):
        answer = await county.read_contact(record_id, role, "olga")
        assert answer.status_code in (404, 410), role
    assert (await county.open311(f"requests/{record_id}.json")).status_code == 404
    assert (await county.ask("GET", "routing", f"/v1/jobs/{record_id}", "agent")).status_code in (
        404,
        410,
    )
    media = await county.ask("GET", "media", f"/internal/media/{record_id}", "agent")
    assert media.status_code in (404, 410)
    assert (await county.http.get(url)).status_code in (403, 404)


async def _left(county: County, record_id: str) -> Document:
    """What every holder has of a record: tombstones and emptied keys, and no object."""
    names = [f"{service}.{name}" for service, names in HOLDERS.items() for name in names]

    async def answered() -> Document | None:
        with county.database() as database:
            found = {
                name: database[name.split(".")[0]][name.split(".")[1]].find_one({"_id": record_id})
                for name in names
            }
        return None if any(each and each.get("pending") for each in found.values()) else found

    found = await until(answered, "every holder's answer is published and off its tombstone")
    for name, document in found.items():
        assert document is not None, f"{name} has lost the tombstone"
        allowed = EMPTIED_KEY if name.endswith(".keys") else IN_A_TOMBSTONE
        assert set(document) <= allowed, f"{name} keeps {set(document) - allowed}"
        assert not document.get("outbox")
    for bucket in ("direct311-sealed", "direct311-public", "direct311-incoming"):
        objects = county.store().list_objects(
            bucket_name=bucket, recursive=True, include_version=True
        )
        assert not [each for each in objects if record_id in str(each.object_name)], bucket
    return found


@pytest.mark.policy("P14", "P20")
@pytest.mark.parametrize("placed", ["before", "after"], ids=["before review", "during review"])
async def test_a_record_under_hold_survives_until_another_person_releases_it(
    county: County, placed: str
) -> None:
    record_id = await county.accepted(submission(310))
    await disposition.eligible(county, record_id)
    order = {
        "name": "Roe v. County",
        "kind": "litigation",
        "authority": "11th Judicial Circuit 26-1",
        "record_ids": [record_id],
    }
    if placed == "before":
        hold = await county.post("retention", "/v1/holds", order, "counsel", "clara")
        await _refused(county, record_id, "held")
    else:
        proposal = await disposition.proposed(county, record_id)
        hold = await county.post("retention", "/v1/holds", order, "counsel", "clara")
        path = f"/v1/dispositions/{proposal['disposition_id']}/approve"
        body = {"set_hash": proposal["set_hash"]}
        answer = await county.ask("POST", "retention", path, "records_officer", "raul", body)
        assert answer.is_success or answer.status_code == 409, answer.text

        async def decided() -> Document | None:
            path = f"/v1/dispositions/{proposal['disposition_id']}"
            found = await county.get("retention", path, "records_officer", "raul")
            return found if found["left_out"] else None

        left_out = (await until(decided, "the held record is left out"))["left_out"]
        assert [each["reason"] for each in left_out] == ["held"]
    await county.caught_up()
    assert (await county.read_contact(record_id, "agent", "olga")).status_code == 200
    with county.database() as database:
        document = database.intake.requests.find_one({"_id": record_id})
        assert document is not None
        assert document["holds"] == [hold["hold_id"]]

    path = f"/v1/holds/{hold['hold_id']}/release"
    reason = {"reason": "the case is settled"}
    same = await county.ask("POST", "retention", path, "counsel", "clara", reason)
    assert same.status_code == 403
    await county.post("retention", path, reason, "records_officer", "raul")

    async def free() -> bool:
        found = await disposition.record(county, record_id)
        return found["state"] == "eligible" and not found["holds"]

    await until(free, "the hold is off the record")
    proposal = await disposition.proposed(county, record_id)
    await disposition.approved(county, proposal)
    await disposition.certificate(county, proposal)
    assert (await county.read_contact(record_id, "agent", "olga")).status_code in (404, 410)


@pytest.mark.policy("P14")
async def test_an_open_request_cannot_be_destroyed(county: County) -> None:
    record_id = await county.accepted(submission(320))
    await county.routed(record_id)

    async def inventoried() -> bool:
        return bool(await disposition.record(county, record_id))

    await until(inventoried, "the record is in the inventory")
    await _refused(county, record_id, "not_eligible")


async def _refused(county: County, record_id: str, reason: str) -> None:
    """The custodian cannot even propose it, and is told why."""
    body = {"record_ids": [record_id]}
    answer = await county.ask("POST", "retention", "/v1/dispositions", "custodian", "carla", body)
    assert answer.status_code == 409
    assert reason in answer.json()["detail"]


@pytest.mark.policy("P14", "P20")
async def test_audit_destroys_last_and_every_other_entry_keeps_its_proof(county: County) -> None:
    record_id = await county.accepted(submission(330))
    other = await county.accepted(submission(331))
    for each in (record_id, other):
        assert (await county.read_contact(each, "agent", "olga")).status_code == 200
        await _readable(county, each, expected=True)
    async with _audit_in_a_hurry(county):
        await disposition.eligible(county, record_id)
        proposal = await disposition.proposed(county, record_id)
        await disposition.approved(county, proposal)
        await disposition.certificate(county, proposal)

        async def supplemented() -> str | None:
            path = f"/v1/dispositions/{proposal['disposition_id']}"
            found = await county.get("retention", path, "records_officer", "raul")
            return next(iter(found["supplement_ids"]), None)

        supplement = await until(supplemented, "audit's part is certified in a supplement")
        found = await county.get(
            "retention", f"/v1/certificates/{supplement}", "records_officer", "raul"
        )
        assert {each["holder"] for each in found["receipts"]} == {"audit"}
        await _readable(county, record_id, expected=False)
        await _readable(county, other, expected=True)


async def _readable(county: County, record_id: str, *, expected: bool) -> None:
    """Whether the log still says who looked at a record; proofs hold either way."""

    async def views() -> list[Document]:
        path = f"/v1/entries?record={record_id}&reference=LETTER-3"
        page = await county.get("audit", path, "auditor", "ines")
        return [each for each in page["entries"] if each["readable"] and each["action"] == "view"]

    async def as_expected() -> bool:
        return bool(await views()) is expected

    await until(as_expected, f"the looks at the record are readable: {expected}")
    if expected:
        event_id = (await views())[0]["event_id"]
        proof = await county.get("audit", f"/v1/entries/{event_id}/proof", "auditor", "ines")
        assert proof["event_id"] == event_id


@asynccontextmanager
async def _audit_in_a_hurry(county: County) -> AsyncIterator[None]:
    """Audit waits 2 s in place of 15 days, for as long as the block lasts."""
    stack = county.stack
    settings = stack.place.env / "audit.env"
    usual = await asyncio.to_thread(settings.read_text)

    async def restart(text: str) -> None:
        write: Callable[[str], int] = settings.write_text
        await asyncio.to_thread(write, text)
        await asyncio.to_thread(stack.restart, "audit")

    await restart(usual + "AUDIT_DESTROY_AFTER=2\n")
    try:
        yield
    finally:
        await restart(usual)
