"""Intake with the staff API, for its unit tests."""

from typing import Any

from starlette.requests import Request
from starlette.testclient import TestClient

from direct311.intake.catalogue.adapters import load_catalogue
from direct311.intake.lifecycle.handlers import Follow
from direct311.intake.request import ServiceRequest
from direct311.intake.work.api.requests import work_router
from direct311.intake.work.handlers.edit import EditRequest
from direct311.intake.work.handlers.read import ReadWork
from direct311.runtime.access.rules import Caller
from direct311.schemas import Event, Model
from tests.support.intake import IntakeUnderTest
from tests.support.intake_stores import InMemoryRequests, InMemoryWorkList

AGENT = Caller("olga", ("agent",))
PARKS = Caller("paul", ("department",), "parks")
INSPECTOR = Caller("ines", ("inspector",), "parks")
CATALOGUE = load_catalogue().content
CONTENT_KEY = bytes(range(32))
WHY = "The resident chose the wrong type."


class WorkingIntake(IntakeUnderTest):
    """Intake with the staff API, called by whoever is `self.caller`."""

    def __init__(self) -> None:
        super().__init__()
        self.caller = AGENT
        stored, found = InMemoryRequests(self.records), InMemoryWorkList(self.records)
        read = ReadWork(stored, found, self.clock)
        edit = EditRequest(
            processor=self.processor,
            catalogue=CATALOGUE,
            protections=self.registry,
            place_hashes=self.indexes.place,
            vault=self.vault,
            clock=self.clock,
            content_key=CONTENT_KEY,
        )
        self.follow = Follow(self.registry, self.indexes.place, self.clock)

        async def caller_of(_: Request) -> Caller:
            return self.caller

        self.http: TestClient = self.serve(work_router(read, edit, caller_of))

    def get(self, url: str, caller: Caller = AGENT) -> Any:
        self.caller = caller
        return self.http.get(f"/v1/work/requests{url}")

    def listed(self, caller: Caller, query: str = "") -> list[str]:
        answer = self.get(query, caller)
        assert answer.status_code == 200, answer.text
        return [each["record_id"] for each in answer.json()["requests"]]

    def edit(
        self, caller: Caller = AGENT, record_id: str = "r-1", *, at: int = 0, **body: Any
    ) -> Any:
        self.caller = caller
        return self.http.patch(
            f"/v1/work/requests/{record_id}",
            json={"reason": WHY, **body},
            headers={"If-Match": f'"{at}"'},
        )

    def event(self, data: Model) -> Event[Any]:
        """What another service says."""
        return Event(self.ids.new(), "/direct311/test", "r-1", self.clock.now(), data)

    async def taken(self, handler: Any, data: Model) -> ServiceRequest:
        """Request `r-1` after an event from another service, as it is stored."""
        change = await handler(self.state(), self.event(data))
        assert change is not None
        await self.records.put(change.state, self.clock.now())
        return self.state()
