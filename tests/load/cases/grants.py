"""How long after its approval a grant is effective at every owner, and after its revocation not any
more.

Each turn has a grant and a worker of its own. Measured from the answer to the approval (the
revocation) until the last of intake, media, routing and audit opens (refuses) for the first time.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import httpx

from tests.load.cases.desk import Desk, at_once, opened
from tests.support.county import County, Document, until
from tests.support.submissions import photo, submission

LOOK_SECONDS = 0.04
"""How often each owner is asked. A session is told the reason of 60 refusals a minute."""
LONGEST_SECONDS = 20.0
GRANTS_OF_A_CASE = 10
"""A new case begins after so many: an owner checks all grants of a case at each use."""
FIELDS = ["phone", "media_original", "job_history", "audit_entry"]

Door = Callable[[], Awaitable[httpx.Response]]


@dataclass(slots=True)
class Effective:
    """Milliseconds of each turn: until the last owner opened, and until the last one refused; for
    each owner too. `floor`: until all have answered once while the grant is in force."""

    floor: list[float] = field(default_factory=list)
    granted: list[float] = field(default_factory=list)
    revoked: list[float] = field(default_factory=list)
    granted_at: dict[str, list[float]] = field(default_factory=dict)
    revoked_at: dict[str, list[float]] = field(default_factory=dict)


async def grants(county: County, turns: int) -> Effective:
    """So many grants, one after the other."""
    found = Effective()
    jpeg = photo("x", (25, 46, 1), (80, 12, 1))
    record_id = await county.accepted(submission(1), [("a.jpg", jpeg, "image/jpeg")])
    await county.routed(record_id)

    async def listed() -> Document | None:
        answer = await county.ask("GET", "media", f"/internal/media/{record_id}", "agent")
        return answer.json()["media"][0] if answer.is_success else None

    media_id = str((await until(listed, "the picture is stored"))["media_id"])
    await county.caught_up()
    left = turns
    while left > 0:
        some = min(left, GRANTS_OF_A_CASE)
        async with opened(county, [record_id]) as desk:
            for number in range(some):
                desk.worker = f"wanda-{desk.case_id[-8:]}-{number}"
                await _turn(desk, record_id, media_id, found)
        left -= some
    return found


async def _turn(desk: Desk, record_id: str, media_id: str, found: Effective) -> None:
    grant = await desk.prepare(record_ids=[record_id], file_ids=[media_id], fields=FIELDS)
    id_token = await desk.sign_in(grant["nonce"])
    doors = doors_of(desk, record_id, media_id)
    # Tokens are fetched before the time runs.
    await at_once(doors.values(), lambda door: door())
    approved = await desk.approve(grant, id_token)
    opens = await _times(doors, lambda answer: answer.is_success)
    _note(found.granted, found.granted_at, opens)
    again = await _times(doors, lambda answer: answer.is_success)
    found.floor.append(max(again.values()))

    path = f"/grants/{grant['grant_id']}/revoke"
    body = {"version": approved["version"], "reason": "withdrawn"}
    await desk.answer("POST", path, body)
    ends = await _times(doors, lambda answer: answer.status_code == httpx.codes.FORBIDDEN)
    _note(found.revoked, found.revoked_at, ends)


def doors_of(desk: Desk, record_id: str, media_id: str) -> Mapping[str, Door]:
    """What the worker asks each owner for under the grant."""

    def door(service: str, path: str, **body: object) -> Door:
        asked = {"purpose": "public_records", **body}
        return lambda: desk.county.ask("POST", service, path, "custodian", desk.worker, asked)

    case = {"reference": desk.case_id}
    why = {"justification": "what the grant names"}
    contact = f"/v1/requests/{record_id}/contact"
    return {
        "intake": door("intake", contact, fields=["phone"], **case, **why),
        "media": door("media", f"/internal/media/{record_id}/{media_id}/original", **case),
        "routing": door("routing", f"/v1/jobs/{record_id}/history", **case),
        "audit": door("audit", f"/v1/cases/{desk.case_id}/entries", record=record_id),
    }


async def _times(
    doors: Mapping[str, Door], reached: Callable[[httpx.Response], bool]
) -> Mapping[str, float]:
    """Milliseconds from now until each owner answers so; to the end of that answer."""
    began = time.perf_counter()

    async def one(name: str) -> tuple[str, float]:
        while True:
            asked = time.perf_counter()
            answer = await doors[name]()
            now = time.perf_counter()
            if reached(answer):
                return name, (now - began) * 1000
            if now - began > LONGEST_SECONDS:
                raise TimeoutError(f"{name} still answers {answer.status_code}")
            await asyncio.sleep(max(0.0, LOOK_SECONDS - (now - asked)))

    return dict(await asyncio.gather(*map(one, doors)))


def _note(last: list[float], each: dict[str, list[float]], took: Mapping[str, float]) -> None:
    last.append(max(took.values()))
    for name, value in took.items():
        each.setdefault(name, []).append(value)
