"""Each act that decides about a record is exactly one entry of the log, as an auditor finds it."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support import disposition
from tests.support.county import County, Document, until
from tests.support.submissions import submission

pytestmark = [pytest.mark.e2e, pytest.mark.anyio, pytest.mark.policy("P14", "P20")]

ORDER = {"name": "Roe against the county", "kind": "investigation", "authority": "26-1 CA 01"}
PHONE = "305-555-0188"


async def _acts(county: County, record_id: str, *wanted: str) -> list[Document]:
    """The acts about a record, oldest first, once there are as many as were made."""

    async def look() -> list[Document] | None:
        path = f"/v1/entries?record={record_id}&service=retention&limit=100&reference=LETTER-1"
        page = await county.get("audit", path, "auditor", "petra")
        found = [each for each in page["entries"] if each["event"] == "act.recorded"]
        return found[::-1] if len(found) >= len(wanted) else None

    found = await until(look, "the acts are in the log")
    assert Counter(each["action"] for each in found) == Counter(wanted)
    assert len({each["event_id"] for each in found}) == len(found)
    return found


def _bodies(entries: Sequence[Document]) -> list[dict[str, Any]]:
    return [each["signed_event"]["body"] for each in entries]


async def test_every_act_on_a_record_is_one_entry(county: County) -> None:
    since = datetime.now(UTC)
    record_id = await county.accepted(submission(330))
    await disposition.eligible(county, record_id)

    hold = await county.post(
        "retention", "/v1/holds", ORDER | {"record_ids": [record_id]}, "counsel", "clara"
    )
    path = f"/v1/holds/{hold['hold_id']}/release"
    own = await county.ask("POST", "retention", path, "counsel", "clara", {"reason": "settled now"})
    assert own.status_code == 403
    reason = {"reason": f"The case was settled; ask {PHONE}."}
    await county.post("retention", path, reason, "records_officer", "raul")

    async def free() -> bool:
        found = await disposition.record(county, record_id)
        return found["state"] == "eligible" and not found["holds"]

    await until(free, "the hold is off the record")
    first = await disposition.proposed(county, record_id)
    path = f"/v1/dispositions/{first['disposition_id']}/reject"
    await county.post(
        "retention", path, {"reason": "Wrong series here."}, "records_officer", "raul"
    )
    second = await disposition.proposed(county, record_id)
    await disposition.approved(county, second)

    acts = ("hold", "release", "propose", "reject", "propose", "approve", "order")
    entries = await _acts(county, record_id, *acts)
    assert all(each["outcome"] == "success" for each in entries)
    assert {each["purpose"] for each in entries} == {"retention"}
    assert {each["record_ids"][0] for each in entries} == {record_id}
    actors = {(each["action"], each["actor"], tuple(each["roles"])) for each in entries}
    assert actors == {
        ("hold", "clara", ("counsel",)),
        ("release", "raul", ("records_officer",)),
        ("propose", "carla", ("custodian",)),
        ("reject", "raul", ("records_officer",)),
        ("approve", "raul", ("records_officer",)),
        ("order", "svc:retention", ("service",)),
    }
    bodies = {each["act"]: each for each in _bodies(entries)}
    assert bodies["hold"]["why"]["reference"] == "26-1 CA 01"
    assert bodies["release"]["about"] == hold["hold_id"]
    assert bodies["approve"]["about"] == second["disposition_id"]
    assert bodies["approve"]["set_hash"] == bodies["order"]["set_hash"] == second["set_hash"]
    told = json.dumps(_bodies(entries))
    assert PHONE not in told
    assert "The case was settled" in told
    assert "Roe" not in told

    # Nothing was opened for them, and none of them has a number, so nothing is missed.
    state = await county.get(
        "audit", f"/v1/reconciliation?since={since:%Y-%m-%dT%H:%M:%SZ}", "auditor", "petra"
    )
    assert not {each["event_id"] for each in entries} & {*state["not_opened"]}
    # They stay readable after the record and its key are gone.
    await disposition.certificate(county, second)
    assert all(each["readable"] for each in await _acts(county, record_id, *acts))


async def test_an_outcome_is_an_entry_and_saying_it_again_is_none(county: County) -> None:
    record_id = await county.accepted(submission(331))
    await county.routed(record_id)

    async def inventoried() -> bool:
        return bool(await disposition.record(county, record_id))

    await until(inventoried, "the record is in the inventory")
    path = f"/v1/records/{record_id}/outcomes"
    for _ in range(2):
        await county.post("retention", path, {"outcome": "hearing"}, "counsel", "clara")
    today = datetime.now(UTC).date()
    closed = {"outcome": "hearing", "closed_on": f"{today:%Y-%m-%d}"}
    answer = await county.ask("POST", "retention", path, "counsel", "clara", closed)
    if answer.status_code == 422:
        # It is still yesterday in the county.
        closed = {"outcome": "citation_issued"}
        await county.post("retention", path, closed, "counsel", "clara")
    entries = await _acts(county, record_id, "outcome", "outcome")
    assert [each["outcome"] for each in _bodies(entries)] == ["hearing", closed["outcome"]]
    assert [each.get("closed_on") for each in _bodies(entries)] == [None, closed.get("closed_on")]


@pytest.mark.policy("P13")
async def test_the_resident_does_not_see_that_their_record_is_held(county: County) -> None:
    """A hold is no access, and would reveal the matter behind it, such as an investigation."""
    answer = await county.submit(submission(332, extensions="true"))
    (accepted,) = answer.json()
    record_id = accepted["service_request_id"]
    link = accepted["extended_attributes"]["link_token"]
    order = ORDER | {"record_ids": [record_id]}
    hold = await county.post("retention", "/v1/holds", order, "counsel", "clara")
    assert (await county.read_contact(record_id, "agent", "olga")).status_code == 200
    await _acts(county, record_id, "hold")
    url = f"{county.known.services['audit']}/v1/subject/{record_id}/accesses"

    async def seen() -> str | None:
        found = await county.http.get(url, headers={"Authorization": f"Bearer {link}"})
        assert found.status_code == 200
        return found.text if '"agent"' in found.text else None

    text = await until(seen, "the resident sees the agent's access")
    for trace in ("hold", "investigation", "clara", "counsel", hold["hold_id"], "retention"):
        assert trace not in text, trace
