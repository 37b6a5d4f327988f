"""The calls of a review: statuses and codes, and that nothing sent is echoed."""

import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from direct311.intake.review.api import rendering_router, review_router
from direct311.runtime.http.api import caller_of
from tests.support.disclosures import CASE
from tests.support.links import bearer
from tests.support.reviews import RECORD, ReviewDesk

pytestmark = pytest.mark.anyio

NOTES = {"parks-1": {"department": "parks", "update_id": "1", "note": "SSN 078-05-1120, ok"}}
PLAIN = {"first_name": "Zora", "phone": "305-555-0142", "work_notes": json.dumps(NOTES)}
NUMBER = "work_notes/parks-1:4-15"
PATH = f"/v1/cases/{CASE}/records/{RECORD}"
CARLA, KURT = bearer("custodian:carla"), bearer("counsel:kurt")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def client() -> TestClient:
    desk = ReviewDesk()
    await desk.granted()
    await desk.request(PLAIN)
    who = caller_of(desk.intake.authenticator)
    return desk.intake.serve(
        review_router(desk.reviewing, desk.deciding, desk.propose, who),
        rendering_router(desk.rendering, who),
    )


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["type"]).rpartition(":")[2]


def decide(
    client: TestClient, *items: Mapping[str, Any], by: dict[str, str] = CARLA, version: int = 1
) -> httpx.Response:
    body = {"version": version, "decisions": list(items)}
    answer: httpx.Response = client.put(f"{PATH}/decisions", json=body, headers=by)
    return answer


async def test_a_review_names_items_citations_and_classes(client: TestClient) -> None:
    answer = client.post(f"{PATH}/review", headers=CARLA)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    (proposal,) = found.pop("proposals")
    assert proposal == {
        "item": NUMBER,
        "field": "work_notes",
        "code": "social_security_number",
        "citation": "119.071(5)(a)",
        "class": "confidential_and_exempt",
        "because": "social_security_number",
        "preset": True,
        "lifted_by": ["counsel"],
        "public_elsewhere": False,
        "went_out": False,
    }
    assert found == {
        "case_id": CASE,
        "record_id": RECORD,
        "version": 1,
        "texts": {
            "first_name": "Zora",
            "phone": "305-555-0142",
            "work_notes/parks-1": "SSN 078-05-1120, ok",
        },
        "public": {"description": None, "status": "received"},
        "decisions": [],
        "earlier": [],
        "warnings": [],
        "undecided": [NUMBER],
        "flags": [],
        "reviewed": False,
    }


@pytest.mark.parametrize(
    ("item", "answer"),
    [
        ({"item": "phone", "decision": "withhold"}, (422, "exemption")),
        ({"item": "phone", "decision": "withhold", "code": "canary"}, (422, "exemption")),
        ({"item": "phone", "decision": "release", "code": "victim"}, (422, "exemption")),
        ({"item": "phone:0-canary", "decision": "release"}, (422, "item")),
        ({"item": "phone", "decision": "canary"}, (422, "malformed")),
        ({"item": NUMBER, "decision": "release"}, (403, "lifted_by")),
    ],
)
async def test_a_wrong_decision_is_refused_by_its_code_without_an_echo(
    client: TestClient, item: dict[str, str], answer: tuple[int, str]
) -> None:
    client.post(f"{PATH}/review", headers=CARLA)
    refused = decide(client, item)
    assert code(refused) == answer
    assert "canary" not in refused.text


async def test_decisions_are_answered_with_citation_and_person(client: TestClient) -> None:
    assert code(decide(client)) == (409, "not_reviewed")
    client.post(f"{PATH}/review", headers=CARLA)
    assert code(decide(client, version=2)) == (409, "changed")
    lifted = decide(client, {"item": NUMBER, "decision": "release"}, by=KURT)
    assert lifted.status_code == 200, lifted.text
    withheld = decide(client, {"item": "phone", "decision": "withhold", "code": "victim"}).json()
    made = {each["item"]: each for each in withheld["decisions"]}
    assert (made["phone"]["citation"], made["phone"]["decided_by"]) == ("119.071(2)(j)", "carla")
    assert (made[NUMBER]["code"], made[NUMBER]["decided_by"]) == (None, "kurt")
    assert (withheld["undecided"], withheld["reviewed"]) == ([], True)


async def test_only_retention_takes_a_rendering_and_only_for_a_person(client: TestClient) -> None:
    for by in (CARLA, KURT, bearer("service:svc-retention"), bearer("service:svc-audit")):
        path = f"/internal/cases/{CASE}/records/{RECORD}/rendering"
        answer = client.post(path, json={"recipient": "requester"}, headers=by)
        assert code(answer) == (403, "caller")
