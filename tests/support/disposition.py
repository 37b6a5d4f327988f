"""A record's disposition: work done, retention period expired, two people, destruction,
certificate."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

from tests.support.county import County, Document, until
from tests.support.submissions import submission

LATER = timedelta(days=366 * 7)
"""Longer than any schedule item of a request whose type has no further outcome."""


def as_of() -> date:
    """A day on which every closed request of today is eligible."""
    return (datetime.now(UTC) + LATER).date()


async def record(county: County, record_id: str) -> Document:
    """What retention's inventory says about a record; empty if it is not there."""
    answer = await county.ask("GET", "retention", f"/v1/records/{record_id}", "custodian", "carla")
    return dict(answer.json()) if answer.status_code == 200 else {}


async def kept(county: County) -> str:
    """A new request that the inventory has, to which a test can bound a case: without bounds a case
    stops the destruction that other tests look for."""
    tag = uuid4().hex
    record_id = await county.accepted(submission(1, description=f"Bounds of a case {tag}"))

    await in_the_inventory(county, record_id)
    return record_id


async def in_the_inventory(county: County, record_id: str) -> None:
    """The inventory has the record: bounds may name it."""

    async def there() -> bool:
        return bool(await record(county, record_id))

    await until(there, f"the inventory has {record_id}")


async def closed(county: County, record_id: str) -> Document:
    """Let the department report the job as done; returns the record once its clock runs."""
    job = await county.routed(record_id)
    said = await county.department(job["department"], "answer", record_id, "fixed")
    assert said.code == 0, said.errors

    async def runs() -> Document | None:
        found = await record(county, record_id)
        return found if found.get("eligible_on") else None

    return await until(runs, f"the clock of {record_id} runs")


async def eligible(county: County, record_id: str) -> Document:
    """Close a record and let its retention period expire."""
    await closed(county, record_id)
    return await expired(county, record_id)


async def expired(county: County, record_id: str) -> Document:
    """Let the retention period of a closed record expire."""
    body = {"as_of": as_of().isoformat(), "dry_run": False}
    await county.post("retention", "/v1/expiry", body, "custodian", "carla")

    async def is_eligible() -> Document | None:
        found = await record(county, record_id)
        return found if found.get("state") == "eligible" else None

    return await until(is_eligible, f"{record_id} is eligible")


async def proposed(county: County, *record_ids: str) -> Document:
    """A custodian's proposal to destroy exactly these."""
    return dict(
        await county.post(
            "retention", "/v1/dispositions", {"record_ids": record_ids}, "custodian", "carla"
        )
    )


async def approved(county: County, proposal: Document) -> None:
    """A records officer's approval of exactly what was proposed."""
    path = f"/v1/dispositions/{proposal['disposition_id']}/approve"
    body = {"set_hash": proposal["set_hash"]}
    await county.post("retention", path, body, "records_officer", "raul")


async def certificate(county: County, proposal: Document) -> Document:
    """The certificate, once every holder except audit has destroyed its part."""

    async def issued() -> Document | None:
        path = f"/v1/dispositions/{proposal['disposition_id']}"
        found = await county.get("retention", path, "records_officer", "raul")
        ids = found.get("certificate_ids") or []
        if not ids:
            return None
        path = f"/v1/certificates/{ids[0]}"
        return dict(await county.get("retention", path, "records_officer", "raul"))

    return await until(issued, "the certificate is issued")


async def destroyed(county: County, record_id: str) -> Document:
    """Runs all steps; returns the certificate."""
    await eligible(county, record_id)
    proposal = await proposed(county, record_id)
    await approved(county, proposal)
    return await certificate(county, proposal)
