"""Retention is killed before each crossing of an order, or of the opening of a case, and the other
one comes in between. No record is destroyed under a case that was answered for."""

import contextlib
import json
import sys
from collections.abc import Awaitable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from deploy.local.stack import Stack
from direct311.runtime.peers import HttpError
from tests.faults.mortal_desk import LATER, PATIENCE, Mortal, mortal
from tests.support.county import County, Document, until
from tests.support.stacks import stack_of_its_own
from tests.wire.test_case_holds import opened, proposed, withdrawn
from tests.wire.test_retention import eligible, new_id, record

pytestmark = [
    pytest.mark.faults,
    pytest.mark.campaign,
    pytest.mark.anyio,
    pytest.mark.timeout(900),
]

MOST = 16
"""More crossings than an order, or the opening of a case, has."""


@pytest.fixture(scope="module")
def retention(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Servers and retention alone: the test speaks in the other services' names."""
    with stack_of_its_own(tmp_path_factory.mktemp("orders") / "s", services=False) as stack:
        yield stack


async def _call(county: County, path: str, role: str, name: str, body: Document) -> Document | None:
    """The answer; `None` if there was none, or the service asks to come again."""
    with contextlib.suppress(httpx.TransportError, HttpError):
        answer = await county.ask("POST", "retention", path, role, name, body)
        if answer.status_code in LATER:
            return None
        assert answer.is_success, answer.text
        return dict(answer.json())
    return None


class Order:
    """A record whose destruction was proposed."""

    def __init__(self, county: County, dying: Mortal) -> None:
        self._county, self._dying = county, dying
        self.record_id = new_id()
        self._path, self._body = "", dict[str, object]()

    async def proposed(self) -> None:
        await eligible(self._county, self.record_id)
        made = await proposed(self._county, self.record_id)
        self._path = f"/v1/dispositions/{made['disposition_id']}"
        self._body = {"set_hash": made["set_hash"]}

    async def approved(self) -> None:
        """Approve it once. If somebody asks again, the answer is how far it is (409)."""
        with contextlib.suppress(httpx.TransportError, HttpError):
            path = f"{self._path}/approve"
            answer = await self._county.ask(
                "POST", "retention", path, "records_officer", "raul", self._body
            )
            code = str(answer.json().get("type", "")).rpartition(":")[2]
            assert answer.is_success or answer.status_code in LATER or code == "status"

    async def ended(self) -> Document | None:
        """What became of the proposal, once it was approved and nothing of it is under way."""
        await self.approved()
        with contextlib.suppress(httpx.TransportError, HttpError):
            answer = await self._county.ask(
                "GET", "retention", self._path, "records_officer", "raul"
            )
            found = dict(answer.json())
            return (
                found if found.get("status") not in ("gathering", "proposed", "ordering") else None
            )
        return None

    async def ordered(self) -> bool:
        state = (await record(self._county, self.record_id))["state"]
        return state in ("ordered", "destroyed", "certified")

    async def told(self) -> int:
        """How many different events order its destruction."""
        found = set()
        for each in await self._county.messages("disposition"):
            data = json.loads(each.value or b"{}")
            if "ordered" in str(dict(each.headers).get("ce_type")) and self.record_id in str(data):
                found.add(dict(each.headers)["ce_id"])
        return len(found)


async def _armed(dying: Mortal, number: int, call: Awaitable[object]) -> None:
    dying.arm(number)
    await call
    dying.disarm()
    await until(dying.ready, "retention is ready", seconds=PATIENCE)


async def test_an_order_that_is_killed_takes_no_record_of_a_case_that_was_opened_meanwhile(
    retention: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = {True: 0, False: 0}
    async with mortal(retention, "retention", tmp_path / "armed") as (county, dying):
        for number in range(1, MOST + 1):
            order, before = Order(county, dying), len(dying.deaths)
            await order.proposed()
            await _armed(dying, number, order.approved())
            case_id = await opened(county, bounds={"record_ids": [order.record_id]})
            ordered = await order.ordered()
            done = await until(order.ended, "the order is answered", seconds=PATIENCE)
            assert await order.ordered() is ordered
            left_out = {each["record_id"]: each["reason"] for each in done["left_out"]}
            assert left_out == ({} if ordered else {order.record_id: "case_open"})
            assert await order.told() == ordered
            ends[ordered] += 1
            await withdrawn(county, case_id)
            if len(dying.deaths) == before:
                break
        else:
            pytest.fail("there are crossings that nobody tried")
        deaths = dying.deaths
    with capsys.disabled():
        sys.stdout.write(f"\nfaults: {len(deaths)} orders died, {ends}: {', '.join(deaths)}")
    assert ends[False]


async def test_the_opening_of_a_case_that_is_killed_stops_orders_once_it_is_answered(
    retention: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with mortal(retention, "retention", tmp_path / "armed") as (county, dying):
        for number in range(1, MOST + 1):
            order, before = Order(county, dying), len(dying.deaths)
            await order.proposed()
            body = {"record_id": order.record_id, "reason": "fraud", "words": "Two bills."}
            key = uuid4().hex

            async def refer(key: str = key, body: Document = body) -> Document | None:
                sent = {**body, "key": key}
                return await _call(county, "/v1/referrals", "agent", "ana", sent)

            await _armed(dying, number, refer())
            with county.database() as database:
                query = {"provisional.bounds.record_ids": order.record_id}
                written = database["retention"]["cases"].count_documents(query)
                keys = database["retention"]["keys"].count_documents({})
            done = await until(order.ended, "the order is answered", seconds=PATIENCE)
            left_out = {each["record_id"]: each["reason"] for each in done["left_out"]}
            assert left_out == ({order.record_id: "case_open"} if written else {})
            assert await order.ordered() is not bool(written)
            assert keys >= written
            if written:
                case_id = str((await until(refer, "it is answered"))["referral_id"])
                path = f"/v1/cases/{case_id}/close"
                await county.post("retention", path, {"outcome": "withdrawn"}, "liaison", "lars")
            if len(dying.deaths) == before:
                break
        else:
            pytest.fail("there are crossings that nobody tried")
        deaths = dying.deaths
    with capsys.disabled():
        sys.stdout.write(f"\nfaults: {len(deaths)} openings died: {', '.join(deaths)}")
    assert deaths
