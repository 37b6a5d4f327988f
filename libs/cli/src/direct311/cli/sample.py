"""A few requests of one made-up person, and staff who open their data: what an auditor asks about.

It is for guides and exercises: afterwards the audit log has something to find.
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import Any
from uuid import uuid4

from direct311.cli.demo import DemoError
from direct311.cli.stack import Session
from direct311.runtime.peers import HttpError

REFERENCE = "SAMPLE-1"
PATIENCE_SECONDS = 60.0
SPOTS = (("ANI-STRAY-DOG", "25.678900", "-80.345600"), ("ANI-STRAY-DOG", "25.680100", "-80.346300"))
"""Request types and places, in one department's work."""
READS: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("ana", "agent", {"purpose": "respond", "fields": ["first_name", "phone"]}),
    (
        "bruno",
        "agent",
        {
            "purpose": "county_business",
            "fields": ["description"],
            "reference": "Work order 118-22",
        },
    ),
    (
        "dolores",
        "emergency",
        {
            "purpose": "emergency_assistance",
            "fields": ["phone"],
            "justification": "Gas leak reported next door; evacuate the block",
        },
    ),
    ("paula", "department:public_works", {"purpose": "respond", "fields": ["phone"]}),
)
"""Who opens what, and why. The last is refused: the request is another department's work."""


async def sample(session: Session) -> Mapping[str, str]:
    """Submit, open, and wait until the log has published the accesses.

    :return: by name of a shell variable, what the next questions need: the person's e-mail
        address, the record, and the session of the first reader.
    :raises DemoError: a step did not happen in time.
    :raises HttpError: a service does not answer.
    """
    email = f"zoraida.{uuid4().hex[:8]}@example.org"
    record, other = [await _submitted(session, email, *spot) for spot in SPOTS]
    await _until(lambda: _routed(session, record), "The request was not routed")
    readers = [*((reader, record) for reader in READS), (READS[0], other)]
    for (name, role, body), record_id in readers:
        await _read(session, record_id, role, name, body)
    first, last = [_session_of(await session.headers("intake", *who)) for who in _ENDS]
    await _until(lambda: _published(session, first, 2), "The log has not published the accesses")
    await _until(lambda: _published(session, last, 1), "The log has not published the accesses")
    return {"EMAIL": email, "RECORD": record, "SESSION": first}


_ENDS = ((READS[0][1], READS[0][0]), (READS[-1][1], READS[-1][0]))
"""Role and name of the first and the last reader."""


async def _submitted(session: Session, email: str, code: str, latitude: str, longitude: str) -> str:
    photo = files("direct311.cli").joinpath("data/pothole.jpg").read_bytes()
    fields = [
        ("api_key", session.stack.api_keys["app"]),
        ("service_code", code),
        ("client_request_id", uuid4().hex),
        ("lat", latitude),
        ("long", longitude),
        ("description", "Brown dog without a collar by the canal."),
        ("attribute[SIZE]", "medium"),
        ("first_name", "Zoraida"),
        ("last_name", "Quintanilla"),
        ("email", email),
        ("phone", "305-555-0142"),
    ]
    url = f"{session.stack.services['intake']}/open311/v2/requests.json"
    answer = await session.http.post_multipart(url, fields, [("media", photo, "image/jpeg")])
    return str(answer[0]["service_request_id"])


async def _routed(session: Session, record_id: str) -> bool:
    try:
        job: Any = await session.get("routing", f"/v1/jobs/{record_id}", "agent", "ana")
    except HttpError as error:
        if error.status != 404:
            raise
        return False
    return bool(job.get("routed"))


async def _read(
    session: Session, record_id: str, role: str, name: str, body: Mapping[str, object]
) -> None:
    try:
        await session.post("intake", f"/v1/requests/{record_id}/contact", body, role, name)
    except HttpError as error:
        if error.status != 403:
            raise


async def _published(session: Session, credential: str, count: int) -> bool:
    """Whether the published log has so many entries of a session. The question names no record, so
    it is no entry about one."""
    path = f"/v1/entries?session={credential}&reference={REFERENCE}"
    page: Any = await session.get("audit", path, "auditor", "auditor-1")
    found = [entry["index"] for entry in page["entries"]]
    if len(found) < count:
        return False
    headers = await session.headers("audit", "auditor", "auditor-1")
    url = session.stack.services["audit"] + "/log/checkpoint"
    checkpoint = await session.http.get_bytes(url, headers)
    size = int(checkpoint.split(b"\n")[1])
    return bool(size > max(found))


def _session_of(headers: Mapping[str, str]) -> str:
    """The id of the token in these headers."""
    body = headers["Authorization"].split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["jti"])


async def _until(condition: Callable[[], Awaitable[bool]], otherwise: str) -> None:
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while not await condition():
        if asyncio.get_running_loop().time() > deadline:
            raise DemoError(f"{otherwise} within {PATIENCE_SECONDS:.0f} s.")
        await asyncio.sleep(0.2)
