"""Intake is killed at each step between the body and the answer: one request each.

The client learns nothing, and sends the same again to another copy.
"""

import asyncio
import contextlib
from pathlib import Path

import httpx
import pytest

from deploy.local.stack import Stack
from tests.faults.dying import STEPS
from tests.support.copies import Copy
from tests.support.county import County, Document, entering, until
from tests.support.pictures import jpeg
from tests.support.submissions import submission

pytestmark = [pytest.mark.faults, pytest.mark.anyio, pytest.mark.timeout(300)]

ALWAYS = ("after-insert", "after-publish")
"""Steps of every run; all of them are a campaign of minutes."""


async def _dies_while_taking(
    county: County, copy: Copy, armed: Path, fields: dict[str, str], file: bytes | None
) -> None:
    """Send a submission to a copy that dies of it."""
    await asyncio.to_thread(copy.wait_ready)
    await asyncio.to_thread(armed.touch)
    data = {"api_key": county.known.api_keys["app"], "jurisdiction_id": "miamidade", **fields}
    files = {"media": ("a.jpg", file, "image/jpeg")} if file else None
    url = f"{copy.url}/open311/v2/requests.json"
    # Where it dies after the answer, the client has it; it sends again all the same.
    with contextlib.suppress(httpx.TransportError):
        await county.http.post(url, data=data, files=files)

    async def dead() -> bool:
        return copy.dead

    await until(dead, "the copy has died", seconds=30)


def _stored(county: County, since: set[str]) -> list[Document]:
    with county.database() as database:
        found = database.intake["requests"].find({"_id": {"$nin": list(since)}})
        return [document for document in found if document.get("fingerprint")]


@pytest.mark.parametrize(
    "step",
    [pytest.param(step, marks=() if step in ALWAYS else pytest.mark.campaign) for step in STEPS],
)
async def test_a_gateway_that_dies_at_any_step_leaves_one_request(
    disposable: Stack, step: str, tmp_path: Path
) -> None:
    armed = tmp_path / "armed"
    copy = Copy(
        disposable,
        "intake",
        module="tests.faults.dying",
        arguments=[step],
        environ={"DYING": str(armed)},
    )
    file = jpeg() if "upload" in step else None
    fields = submission(
        STEPS.index(step), client_request_id=f"dies-{step}", description=f"It died {step}."
    )
    with copy.running():
        async with entering(disposable) as county:
            before = {document["_id"] for document in _stored(county, set())}
            await _dies_while_taking(county, copy, armed, fields, file)
            sent = [("a.jpg", file, "image/jpeg")] if file else ()
            record_id = await county.accepted(fields, sent)
            assert await county.accepted(fields, sent) == record_id
            (stored,) = _stored(county, before)
            assert stored["_id"] == record_id
            await county.routed(record_id)
            messages = await county.messages("request.created")
            told = [
                dict(message.headers)["ce_id"]
                for message in messages
                if message.key == record_id.encode()
            ]
            # The relay may have said it twice, in the same words: consumers know it again.
            assert len(set(told)) == 1
            assert len(told) <= 2
