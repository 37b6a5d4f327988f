"""Nobody was there to decide: the duty officer opens a telephone number at night, and says
afterwards whom they told. Audit waits for that."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from direct311.runtime.access.openings import opening_case
from direct311.runtime.storage import database as mongo
from tests.e2e.test_legal_process import AGENCY, Desk, code
from tests.support.app_api import App, order
from tests.support.county import County, Document, until
from tests.support.disposition import in_the_inventory
from tests.support.no_trace import WORDS, files_under, traces_in

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P18")]

SAID = "canary: told the dispatcher the caller's number"


async def remembered(county: County, case_id: str) -> Document | None:
    """What audit remembers of an opening."""
    lines = (county.stack.root / "env" / "audit.env").read_text().splitlines()
    settings = dict(line.removeprefix("AUDIT_").split("=", 1) for line in lines if "=" in line)
    database = mongo.connect(settings["DATABASE_URL"], settings["DATABASE_NAME"])
    try:
        found = await database["openings"].find_one({"_id": case_id})
    finally:
        mongo.disconnect(database)
    return None if found is None else dict(found)


async def test_an_opening_at_night_is_explained_by_a_case_file(county: County) -> None:
    record_id, _ = await App(county).submitted(order(2_010))
    await in_the_inventory(county, record_id)
    officer = f"dora-{uuid4().hex[:8]}"
    opened = await county.read_contact(
        record_id,
        "emergency",
        officer,
        purpose="emergency_assistance",
        justification="a fire on 5th Street; the caller does not answer the door",
        fields=["phone"],
    )
    assert opened.status_code == 200, opened.text
    now = datetime.now(UTC)
    case_id = opening_case(officer, record_id, now.date())

    async def waited_for() -> bool:
        found = await remembered(county, case_id)
        return found is not None and not found["explained"]

    await until(waited_for, "audit waits for an explanation")
    said = {
        "record_id": record_id,
        "opened_at": now.isoformat(),
        "agency": AGENCY,
        "threat": "life",
        "words": SAID,
    }
    path = "/v1/oral-disclosures"
    assert (await county.ask("POST", "retention", path, "agent", "ana", said)).status_code == 403
    for _ in range(2):
        told = await county.ask("POST", "retention", path, "emergency", officer, said)
        assert (told.status_code, told.json()["case_id"]) == (201, case_id), told.text

    async def explained() -> bool:
        found = await remembered(county, case_id)
        return found is not None and bool(found["explained"])

    await until(explained, "audit hears of the case file")
    legal = await county.get("retention", f"/v1/cases/{case_id}/legal-process", "liaison", "lars")
    assert (legal["state"], legal["oral"]["agency"]) == ("released", AGENCY)
    assert legal["follow_up_due_at"]

    # Nobody else sees that somebody was told.
    views: dict[str, object] = {
        f"metrics of {service}": (await county.http.get(f"{url}/metrics")).text
        for service, url in county.known.services.items()
    }
    for role, name in (("custodian", "carla"), ("auditor", "ines")):
        answer = await county.ask("GET", "retention", f"/v1/cases/{case_id}", role, name)
        assert answer.status_code in (403, 404)
    views |= files_under(county.stack.place.log)
    assert traces_in(views, (case_id, officer, SAID, "oral-disclosure", *WORDS)) == []

    # An instrument must still follow, so it cannot be closed.
    closing = {"outcome": "withdrawn"}
    url = f"/v1/cases/{case_id}/close"
    answer = await county.ask("POST", "retention", url, "liaison", "lars", closing)
    assert code(answer) == (409, "follow_up")
    desk = Desk(county, record_id)
    desk.case_id = case_id
    digest = await desk.deposited(b"the order that followed")
    followed = await desk.called("follow_up", instrument="court_order", document=digest)
    assert followed["follow_up"]["instrument"] == "court_order"
    closed = await desk.ask("POST", "close", closing)
    assert closed.status_code == 200, closed.text
