"""What an answer's file holds when the answer is refused, breaks off, or goes on."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from direct311.cli.stack import LocalStack, Session
from direct311.runtime.peers import HttpClient, HttpError

pytestmark = pytest.mark.anyio


class Answer:
    """Comes in these pieces; then it has ended, or fails."""

    def __init__(self, *pieces: bytes, error: HttpError | None = None) -> None:
        self._pieces = pieces
        self._error = error

    async def post_json(self, *_: object) -> dict[str, str]:
        return {"access_token": "t"}

    async def post_stream(
        self, url: str, body: object, write: Callable[[bytes], object], headers: object
    ) -> Mapping[str, str]:
        for piece in self._pieces:
            write(piece)
        if self._error is not None:
            raise self._error
        return {"direct311-entries": "2"}


async def save(answer: Answer, out: Path, *, goes_on: bool = False) -> Mapping[str, str]:
    stack: Any = type("Stack", (), {"services": {"audit": ""}, "issuer": "", "operator_secret": ""})
    session = Session(cast(LocalStack, stack), cast(HttpClient, answer))
    return await session.save("audit", "/v1/exports", {}, "auditor", "a", out, goes_on=goes_on)


async def test_a_refusal_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "entries.csv"
    out.write_bytes(b"first part")
    for goes_on in (False, True):
        with pytest.raises(HttpError):
            await save(Answer(error=HttpError(403)), out, goes_on=goes_on)
        assert out.read_bytes() == b"first part"


async def test_what_broke_off_stays_and_the_rest_goes_behind_it(tmp_path: Path) -> None:
    out = tmp_path / "entries.csv"
    with pytest.raises(HttpError):
        await save(Answer(b"one\n", error=HttpError(None)), out)
    assert (await save(Answer(b"two\n"), out, goes_on=True))["direct311-entries"] == "2"
    assert out.read_bytes() == b"one\ntwo\n"


async def test_an_empty_answer_is_an_empty_file(tmp_path: Path) -> None:
    out = tmp_path / "entries.ndjson"
    out.write_bytes(b"of last year")
    await save(Answer(), out)
    assert out.read_bytes() == b""
