"""`direct311 demo` on a stack on which somebody has asked for records."""

from typing import Any

import pytest

from direct311.cli.demo import WAITS, propose
from direct311.runtime.peers import HttpError

pytestmark = pytest.mark.anyio
TYPE = "urn:direct311:problem:"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Retention:
    """Answers a proposal, or refuses it."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.sent: list[object] = []

    async def post(self, service: str, path: str, body: object, role: str, name: str) -> Any:
        self.sent.append((service, path, body, role))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def proposed(answer: Any) -> Any:
    session = Retention(answer)
    found = await propose(session, "record-1")  # type: ignore[arg-type]
    assert session.sent == [
        ("retention", "/v1/dispositions", {"record_ids": ["record-1"]}, "custodian")
    ]
    return found


async def test_a_record_that_an_open_case_keeps_is_no_error_of_the_demo() -> None:
    assert await proposed(HttpError(409, {"type": f"{TYPE}nothing_to_propose"})) is None
    assert "direct311 case tasks" in WAITS


async def test_another_refusal_is_one() -> None:
    with pytest.raises(HttpError):
        await proposed(HttpError(403, {"type": f"{TYPE}role"}))
    with pytest.raises(HttpError):
        await proposed(HttpError(None))


async def test_what_is_proposed_goes_on() -> None:
    assert await proposed({"disposition_id": "d-1"}) == {"disposition_id": "d-1"}
