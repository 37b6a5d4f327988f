"""A department's system over HTTP: its pages, its updates, and its limits."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest
from fastapi import Request
from starlette.testclient import TestClient

from direct311.routing.work.api.departments import router
from direct311.routing.work.domain import OriginalNote
from direct311.routing.work.handlers.pulled import Pulled
from direct311.routing.work.handlers.shares import MINUTE, Shares
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.messaging.pages import DeletedError, NoSuchPlaceError, Page
from direct311.schemas import Event
from direct311.schemas import events as ev
from direct311.schemas.model import Model
from tests.support.runtime import NOW
from tests.support.work_notes import InMemoryWorkNotes
from tests.unit.routing.work.test_reported import RECORD, Reporting, routed_to, step

pytestmark = pytest.mark.anyio

ADDRESS = "/v1/departments/parks"
PARKS = Caller("dept-parks", ("department_system",), "parks")


class Topic:
    """`routed.parks`: places 10 to 14; what was before is deleted."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int | None, int, float]] = []
        recalled = ev.RequestRecalled(
            record_id=RECORD, version=2, department="parks", reason="moved", recalled_at=NOW
        )
        said: Sequence[Model] = [routed_to("parks"), recalled, routed_to("parks"), recalled]
        self.events = [
            Event(str(uuid4()), "/direct311/routing", RECORD, NOW, each) for each in said
        ]

    async def read(self, department: str, start: int | None, most: int, wait: float) -> Page:
        self.asked.append((department, start, most, wait))
        place = 10 if start is None else start
        if place < 10:
            raise DeletedError(10)
        if place > 14:
            raise NoSuchPlaceError
        found = self.events[place - 10 :][:most]
        return Page(found, place + len(found), 14)


class Desk:
    def __init__(self, routing: Reporting) -> None:
        self.routing = routing
        self.caller = PARKS
        self.topic = Topic()
        self.pulls = Shares(1, 100)

        async def caller(_: Request) -> Caller:
            return self.caller

        self.http: TestClient = routing.serve(
            router(
                Pulled(self.topic),
                routing.updates,
                ("parks", "animal_services"),
                caller,
                routing.clock,
                self.pulls,
                Shares(4, 100),
            )
        )

    def report(self, update: ev.DepartmentUpdateV2, update_id: str | None = None) -> Any:
        return self.http.post(
            f"{ADDRESS}/updates",
            content=update.model_dump_json(),
            headers={
                "Idempotency-Key": update_id or str(uuid4()),
                "Content-Type": "application/json",
            },
        )


@pytest.fixture
async def desk() -> Desk:
    routing = Reporting()
    await routing.has()
    return Desk(routing)


def said(name: str, **fields: Any) -> ev.DepartmentUpdateV2:
    data = step(name, **fields).event.data
    assert isinstance(data, ev.DepartmentUpdateV2)
    return data


async def test_pages_follow_each_other_with_recalls_and_nothing_twice(desk: Desk) -> None:
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    for more in (True, False):
        page = desk.http.get(f"{ADDRESS}/routed", params={"limit": "2", **cursor}).json()
        found += page["events"]
        cursor = {"cursor": page["next"]}
        assert page["more"] is more
    assert [each["id"] for each in found] == [each.id for each in desk.topic.events]
    assert [each["type"].split(".")[-2] for each in found] == ["routed", "recalled"] * 2
    assert found[0]["data"]["rule_id"] == "r"
    assert found[1]["data"]["reason"] == "moved"
    last = desk.http.get(f"{ADDRESS}/routed", params={**cursor, "wait": "2"}).json()
    assert last == {"events": [], "next": "14", "more": False}
    assert desk.topic.asked[-1] == ("parks", 14, 100, 2)


@pytest.mark.parametrize(
    ("cursor", "status", "code"),
    [("3", 410, "cursor_gone"), ("15", 422, "cursor"), ("x", 422, "malformed")],
)
async def test_a_cursor_that_is_no_good_is_told_what_to_do(
    desk: Desk, cursor: str, status: int, code: str
) -> None:
    answer = desk.http.get(f"{ADDRESS}/routed", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:direct311:problem:{code}")


async def test_a_step_is_answered_as_over_kafka_and_so_is_its_repeat(desk: Desk) -> None:
    update_id = str(uuid4())
    first = desk.report(said("in_progress"), update_id)
    assert first.status_code == 200
    assert first.json() == {
        "update_id": update_id,
        "record_id": RECORD,
        "department": "parks",
        "step": "in_progress",
        "status": "in_progress",
    }
    again = desk.report(said("in_progress"), update_id)
    assert again.json() == first.json()
    (reply,) = await desk.routing.replies()
    assert isinstance(reply, ev.UpdateAcceptedV2)
    assert (reply.update_id, reply.status) == (update_id, "in_progress")


async def test_a_refusal_says_what_would_be_accepted_each_time(desk: Desk) -> None:
    update_id = str(uuid4())
    answers = [desk.report(said("reopened"), update_id) for _ in range(2)]
    assert [each.status_code for each in answers] == [409, 409]
    assert answers[0].json() == answers[1].json()
    body = answers[0].json()
    (reply,) = await desk.routing.replies()
    assert isinstance(reply, ev.UpdateRefusedV2)
    assert (body["type"], body["detail"], body["field"]) == (
        f"urn:direct311:problem:{reply.code}",
        reply.reason,
        reply.field,
    )
    assert tuple(body["allowed"]) == reply.allowed
    wrong = desk.report(said("resolved", outcome=None))
    assert (wrong.status_code, wrong.json()["field"]) == (422, "outcome")
    assert wrong.json()["errors"][0]["field"] == "outcome"


async def test_what_came_over_kafka_is_known_over_http(desk: Desk) -> None:
    came = step("in_progress")
    await desk.routing.told(came)
    answer = desk.report(said("in_progress"), came.event.id)
    assert (answer.status_code, answer.json()["status"]) == (200, "in_progress")
    assert len(await desk.routing.replies()) == 1
    assert desk.report(said("acknowledged")).status_code == 409


async def test_an_answer_that_is_not_kept_is_not_made_up(desk: Desk) -> None:
    came = step("in_progress")
    await desk.routing.told(came)
    await desk.routing.jobs.put((await desk.routing.now()).model_copy(update={"answers": ()}), NOW)
    assert desk.report(said("in_progress"), came.event.id).status_code == 410


async def test_an_unknown_request_is_answered_alike_whatever_comes_later(desk: Desk) -> None:
    update_id, elsewhere = str(uuid4()), str(uuid4())
    update = said("acknowledged").model_copy(update={"record_id": elsewhere})
    for _ in range(2):
        answer = desk.report(update, update_id)
        assert (answer.status_code, answer.json()["field"]) == (404, "record_id")


async def test_while_a_note_cannot_be_sealed_the_same_update_may_come_again(desk: Desk) -> None:
    class Away(InMemoryWorkNotes):
        async def seal(self, note: OriginalNote) -> None:
            raise TransientError("intake does not seal notes now")

    desk.routing.reported._notes = Away()
    update_id = str(uuid4())
    waiting = desk.report(said("note", note="On the way."), update_id)
    assert waiting.status_code == 503
    assert "Retry-After" in waiting.headers
    desk.routing.reported._notes = desk.routing.notes
    assert desk.report(said("note", note="On the way."), update_id).status_code == 200


@pytest.mark.parametrize(
    "caller",
    [
        Caller("dept-animals", ("department_system",), "animal_services"),
        Caller("dede", ("department",), "parks"),
        Caller("ina", ("inspector",), "parks"),
        Caller("ada", ("admin",)),
        Caller("svc:intake", ("service",)),
    ],
)
async def test_nobody_else_reads_or_writes_there(desk: Desk, caller: Caller) -> None:
    desk.caller = caller
    assert desk.http.get(f"{ADDRESS}/routed").status_code == 403
    assert desk.report(said("in_progress")).status_code == 403
    assert not desk.topic.asked
    assert (await desk.routing.now()).status == "routed"


async def test_an_update_names_the_department_of_its_address(desk: Desk) -> None:
    answer = desk.report(said("in_progress", department="animal_services"))
    assert (answer.status_code, answer.json()["field"]) == (422, "department")
    for key in ("", "not a uuid"):
        answer = desk.report(said("in_progress"), key or " ")
        assert answer.status_code == 422


async def test_a_department_that_is_not_there_any_more_gets_404(desk: Desk) -> None:
    desk.caller = Caller("dept-old", ("department_system",), "old")
    assert desk.http.get("/v1/departments/old/routed").status_code == 404


async def test_one_department_uses_up_only_its_own_share(desk: Desk) -> None:
    with desk.pulls.one("animal_services"):
        assert desk.http.get(f"{ADDRESS}/routed").status_code == 200
    with desk.pulls.one("parks"):
        answer = desk.http.get(f"{ADDRESS}/routed")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert desk.http.get(f"{ADDRESS}/routed").status_code == 200


def test_a_minute_has_room_for_so_many_calls() -> None:
    at = 0.0
    shares = Shares(2, 3, lambda: at)
    for _ in range(3):
        with shares.one("parks"):
            at += 1
    with pytest.raises(RefusedError) as refused, shares.one("parks"):
        pass
    assert refused.value.retry_after == MINUTE - 3 + 1
    with shares.one("regulatory"):
        pass
    at = MINUTE
    with ExitStack() as stack:
        stack.enter_context(shares.one("parks"))
        with pytest.raises(RefusedError), shares.one("parks"):
            pass
