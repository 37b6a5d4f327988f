"""A denial with citation and statement: prepared by one person, approved by others who sign in for
it, and read by its requester."""

from hashlib import sha256
from typing import Any
from uuid import uuid4

import httpx
import pytest

from direct311.runtime.access.fresh_sign_in import nonce_of
from tests.e2e.test_case_fees import CUSTODIAN, Request
from tests.e2e.test_case_grants import CaseWork
from tests.protection.traces import trace
from tests.support.county import County, Document, until

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P13")]

STATEMENT = "The home address of the canary is exempt: section 119.071(4)(d), Florida Statutes."
ITEM = {"reason": "exempt", "exemption": "protected_person", "citation": "119.071(4)(d)"}


class DeniedRequest(Request):
    """A request whose records are identified, and the people who deny it."""

    def __init__(self, county: County) -> None:
        super().__init__(county)
        tag = uuid4().hex[:8]
        self.officer, self.counsel = f"olga-{tag}", f"cole-{tag}"

    async def identified(self) -> "DeniedRequest":
        await self.sent()
        await self.county.post("retention", f"{self.path}/records", {"complete": True}, *CUSTODIAN)
        return self

    async def prepared(self, **more: Any) -> Document:
        body = {"outcome": "denied", "items": [ITEM], "statement": STATEMENT, **more}

        async def ready() -> httpx.Response | None:
            # The provisional hold ends once the last records are held.
            answer = await self.ask("denial", body, version="denials")
            waits = answer.status_code == 409 and "not_identified" in answer.text
            return None if waits else answer

        answer = await until(ready, "the records are identified")
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def approve(self, denial: Document, role: str, name: str) -> httpx.Response:
        """Somebody looks at the denial and its statement, hashes both, and signs in for it."""
        found = (await self.county.get("retention", f"{self.path}/denials", role, name))["denials"]
        (shown,) = [each for each in found if each["denial_id"] == denial["denial_id"]]
        path = f"{self.path}/denials/{denial['denial_id']}"
        told = await self.county.get("retention", f"{path}/statement", role, name)
        assert sha256(told["statement"].encode()).hexdigest() == shown["denial"]["statement"]
        nonce = nonce_of("disclosure-denial", shown["denial"])
        assert nonce == shown["nonce"]
        id_token = await CaseWork(self.county).id_token(nonce, name)
        body = {"version": shown["version"], "id_token": id_token}
        return await self.county.ask("POST", "retention", f"{path}/approve", role, name, body)


async def test_a_denial_is_approved_by_two_others_and_its_statement_read_by_the_token(
    county: County,
) -> None:
    request = await DeniedRequest(county).identified()
    wrong = await request.ask(
        "denial",
        {
            "outcome": "denied",
            "items": [ITEM | {"citation": "119.071(5)(a)"}],
            "statement": STATEMENT,
        },
        version="denials",
    )
    assert wrong.status_code == 422, wrong.text
    assert wrong.json()["errors"][0]["field"] == "items.0.citation"
    denial = await request.prepared()
    assert denial["missing"] == ["records_officer", "counsel"]

    # One person alone denies nothing, in whatever role.
    for role in ("records_officer", "counsel"):
        alone = await request.approve(denial, role, CUSTODIAN[1])
        assert (alone.status_code, alone.json()["type"]) == (
            403,
            "urn:direct311:problem:same_person",
        )
    first = await request.approve(denial, "records_officer", request.officer)
    assert first.status_code == 200, first.text
    assert first.json()["missing"] == ["counsel"]
    again = await request.approve(denial, "counsel", request.officer)
    assert again.json()["missing"] == ["counsel"]
    assert (await request.by_token("GET", "statement")).status_code == 409
    last = await request.approve(denial, "counsel", request.counsel)
    assert last.status_code == 200, last.text
    assert last.json()["state"] == "approved"

    status = (await request.by_token("GET", "status")).json()
    assert (status["state"], status["outcome"]) == ("closed", "denied")
    read = await request.by_token("GET", "statement")
    assert read.status_code == 200, read.text
    (told,) = read.json()["statements"]
    assert (told["statement"], told["items"]) == (STATEMENT, [ITEM])
    assert request.officer not in read.text

    def is_it(entry: Document) -> bool:
        body = (entry["signed_event"] or {}).get("body")
        return body is not None and "case_statement" in str(body) and "disclose" in str(body)

    entry = await trace(county, f"record={request.case_id}", is_it)
    assert "canary" not in str(entry)


async def test_a_part_is_denied_and_the_case_goes_on(county: County) -> None:
    request = await DeniedRequest(county).identified()
    denial = await request.prepared(outcome="part", items=[{"reason": "not_held"}])
    assert denial["missing"] == ["records_officer"]
    done = await request.approve(denial, "records_officer", request.officer)
    assert done.json()["state"] == "approved"
    status = (await request.by_token("GET", "status")).json()
    assert (status["state"], status.get("outcome")) == ("acknowledged", None)
    await request.withdrawn()
