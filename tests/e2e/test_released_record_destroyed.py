"""A record goes out in a package. Years later it is destroyed by two people, and its certificate
lists the case and the package that it went out with."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.e2e.test_case_review import settled
from tests.e2e.test_public_records_all_the_way import PublicCase
from tests.support import disposition
from tests.support.county import County, until
from tests.support.submissions import submission

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P13", "P14")]

LONG_AGO = timedelta(days=40)
"""The hold of a case lasts 30 days from the written request."""


class OldCase(PublicCase):
    """A written request that came long ago and that the desk enters now."""

    async def opened_for(self, record_id: str) -> None:
        order = {
            "kind": "public_records",
            "request": "What was reported at the canal.",
            "received_at": (datetime.now(UTC) - LONG_AGO).isoformat(),
            "bounds": {"record_ids": [record_id]},
        }
        made = await self.county.post("retention", "/v1/cases", order, "custodian", self.custodian)
        self.case_id = str(made["case_id"])

    async def acknowledged(self) -> None:
        answer = await self.desk("POST", "/acknowledgement")
        assert answer.status_code == 200, answer.text

    async def holds_released(self, record_id: str) -> None:
        """Counsel releases what the case holds, once it may be."""
        for each in (await disposition.record(self.county, record_id))["holds"]:
            path = f"/v1/holds/{each['hold_id']}/release"
            body = {"reason": "thirty days are over: section 119.07(1)(h), F.S."}
            answer = await self.county.ask("POST", "retention", path, "counsel", "kurt", body)
            assert answer.status_code == 200, answer.text


async def test_the_certificate_of_a_released_record_lists_the_case(county: County) -> None:
    described = submission(4_960) | {"description": f"A canal without water {uuid4().hex[:8]}."}
    record_id = await county.accepted(described)
    await settled(county, record_id)
    await disposition.closed(county, record_id)
    await county.caught_up()
    work = OldCase(county)
    await work.opened_for(record_id)
    await work.acknowledged()
    held = await work.desk("POST", "/records", {"record_ids": [record_id], "complete": True})
    assert held.status_code == 200, held.text
    await work.granted(record_id)
    shown = await work.reviewed(record_id)
    decided = await work.decide(record_id, shown["version"])
    assert decided.json()["reviewed"] is True, decided.text

    async def collected() -> bool:
        answer = await work.desk("POST", "/collection", {})
        assert answer.status_code == 200, answer.text
        return not answer.json()["remaining"]

    await until(collected, "the record is collected")
    built = await work.built()
    assert built.status_code == 201, built.text
    package = str(built.json()["packages"][-1]["sha256"])
    assert await work.approve_package(package, "records_officer") == "approved"
    out = await work.desk("POST", f"/packages/{package}/release", {})
    assert out.json()["state"] == "released", out.text
    closed = await work.desk("POST", "/close", {"outcome": "full"})
    assert closed.status_code == 200, closed.text
    await work.holds_released(record_id)

    async def unheld() -> bool:
        return not (await disposition.record(county, record_id))["holds"]

    await until(unheld, "nothing holds the record any more")
    await disposition.expired(county, record_id)
    proposal = await disposition.proposed(county, record_id)
    await disposition.approved(county, proposal)
    certificate = await disposition.certificate(county, proposal)
    assert certificate["record_ids"] == [record_id]
    # As in a hold, the reference does not say of which kind the case is.
    assert certificate["releases"] == [
        {"reference": f"case {work.case_id}", "package": package, "record_ids": [record_id]}
    ]

    # What never went out has no such list.
    other = await county.accepted(submission(4_961))
    await settled(county, other)
    assert "releases" not in await disposition.destroyed(county, other)
