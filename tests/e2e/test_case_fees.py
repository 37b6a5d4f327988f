"""What a request for records costs: estimated at the desk, accepted by its token at the gateway,
paid at the cashier."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support import disposition
from tests.support.county import County, Document, until

pytestmark = [pytest.mark.anyio, pytest.mark.e2e, pytest.mark.policy("P13")]

GATEWAY = "/v1/records-requests"
CUSTODIAN = ("custodian", "carla")


class Request:
    """A request for records that somebody sent through the gateway, and its token."""

    def __init__(self, county: County) -> None:
        self.county = county
        self.case_id = self.token = ""

    async def sent(self) -> "Request":
        url = self.county.known.services["intake"] + GATEWAY
        body = {"request": f"All complaints about one bridge, {uuid4().hex}."}
        answer = await self.county.http.post(url, json=body)
        assert answer.status_code == 201, answer.text
        self.case_id, self.token = answer.json()["case_id"], answer.json()["token"]
        # Without bounds it would stop the destruction that other tests look for.
        bounds = {"record_ids": [await disposition.kept(self.county)]}
        bounded = await self.county.ask(
            "PUT", "retention", f"{self.path}/bounds", *CUSTODIAN, bounds
        )
        assert bounded.status_code == 200, bounded.text
        return self

    @property
    def path(self) -> str:
        return f"/v1/cases/{self.case_id}"

    async def by_token(self, method: str, what: str, body: object = None) -> httpx.Response:
        url = f"{self.county.known.services['intake']}{GATEWAY}/{what}"
        headers = {"Authorization": f"Bearer {self.token}"}
        return await self.county.http.request(method, url, json=body, headers=headers)

    async def ask(self, what: str, body: Document, version: str = "charges") -> httpx.Response:
        """As the custodian, against the newest version: the inventory learns of a new case within a
        second, which is a version too."""

        async def asked() -> httpx.Response | None:
            seen = await self.county.get("retention", f"{self.path}/{version}", *CUSTODIAN)
            order = {"version": seen["version"], **body}
            answer = await self.county.ask(
                "POST", "retention", f"{self.path}/{what}", *CUSTODIAN, order
            )
            stale = answer.status_code == 409 and answer.json()["type"].endswith(":changed")
            return None if stale else answer

        return await until(asked, "nobody changed the case in between")

    async def withdrawn(self) -> None:
        await self.county.post(
            "retention", f"{self.path}/close", {"outcome": "withdrawn"}, *CUSTODIAN
        )


async def test_a_charged_request_from_its_estimate_to_its_payment(county: County) -> None:
    request = await Request(county).sent()
    assert (await request.by_token("GET", "estimate")).status_code == 409
    order: dict[str, Any] = {
        "medium": "paper",
        "work": [{"work": "search", "minutes": 90}],
        "pages": [{"kind": "one_sided", "number": 40}],
        "deposit_cents": 1_000,
    }
    answer = await request.ask("estimate", order)
    assert answer.status_code == 200, answer.text
    # 40 pages of 15 cents; 60 of the 90 minutes at 23.50 an hour.
    assert (answer.json()["due_cents"], answer.json()["state"]) == (2_950, "awaiting_payment")

    seen = await request.by_token("GET", "estimate")
    assert seen.status_code == 200, seen.text
    assert (seen.json()["version"], seen.json()["total_cents"]) == (1, 2_950)
    assert [each["citation"] for each in seen.json()["lines"]] == [
        "119.07(4)(a)1",
        "119.07(4)(d)",
    ]
    assert "carla" not in seen.text
    # A newer estimate is not accepted unseen.
    answer = await request.ask("estimate", order | {"deposit_cents": 500})
    assert answer.status_code == 200, answer.text
    stale = await request.by_token("POST", "estimate/acceptance", {"version": 1})
    assert (stale.status_code, stale.json()["type"]) == (409, "urn:direct311:problem:changed")
    accepted = await request.by_token("POST", "estimate/acceptance", {"version": 2})
    assert accepted.status_code == 200, accepted.text
    assert accepted.json()["accepted_at"]

    paying = f"{request.path}/payments"
    card = {"receipt": "4111 1111 1111 1111", "cents": 500}
    refused = await county.ask("POST", "retention", paying, *CUSTODIAN, card)
    assert refused.status_code == 422
    assert "4111" not in refused.text
    deposit = {"receipt": "MDC-2026-000001", "cents": 500}
    for _ in range(2):
        paid = await county.post("retention", paying, deposit, *CUSTODIAN)
        assert (paid["state"], paid["paid_cents"], paid["unpaid"]) == ("collecting", 500, True)
    paid = await county.post(
        "retention", paying, {"receipt": "MDC-2026-000002", "cents": 2_450}, *CUSTODIAN
    )
    assert (paid["owed_cents"], paid["unpaid"]) == (0, False)
    status = await request.by_token("GET", "status")
    assert (status.json()["state"], status.json()["last_step"]) == ("collecting", "worked_on")

    # Each step is a signed event, and no number of a receipt is in one.
    told = [
        each for each in await county.messages("disclosure") if each.key == request.case_id.encode()
    ]
    assert len(told) >= 6
    assert not any(b"MDC-2026" in (each.value or b"") for each in told)
    await request.withdrawn()


async def test_a_request_that_costs_nothing_is_collected_at_once(county: County) -> None:
    request = await Request(county).sent()
    answer = await request.ask(
        "estimate", {"medium": "electronic", "work": [{"work": "search", "minutes": 20}]}
    )
    assert (answer.json()["due_cents"], answer.json()["state"]) == (0, "collecting")
    await request.withdrawn()


async def test_only_the_gateway_passes_on_what_a_requester_asks(county: County) -> None:
    for path in ("estimate", "estimate/acceptance", "statement"):
        for role in ("custodian", "records_officer", "admin", "auditor"):
            body = {"token": "x", "version": 1} if "acceptance" in path else {"token": "x"}
            answer = await county.ask(
                "POST", "retention", f"/internal/cases/{path}", role, "nosy", body
            )
            assert answer.status_code == 403, (path, role)
