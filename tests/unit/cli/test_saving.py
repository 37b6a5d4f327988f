"""What an answer's file holds when the answer is refused, breaks off, or goes on."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from direct311.cli.stack import LocalStack, Session, _cut
from direct311.runtime.peers import HttpClient, HttpError

HEADERS = {"direct311-entries": "2", "direct311-log-size": "9"}


class Answer:
    """Comes in these pieces; then it has ended, or fails."""

    def __init__(self, *pieces: bytes, error: HttpError | None = None) -> None:
        self._pieces = pieces
        self._error = error

    async def post_json(self, *_: object) -> dict[str, str]:
        return {"access_token": "t"}

    async def post_stream(
        self,
        url: str,
        body: object,
        write: Callable[[bytes], object],
        headers: object,
        heard: Callable[[Mapping[str, str]], object],
    ) -> Mapping[str, str]:
        if self._error is None or self._error.status is None:
            heard(HEADERS)
        for piece in self._pieces:
            write(piece)
        if self._error is not None:
            raise self._error
        return HEADERS


async def save(
    answer: Answer,
    out: Path,
    ends: bytes | None = None,
    heard: Callable[[Mapping[str, str]], None] = lambda _: None,
) -> Mapping[str, str]:
    known = {"services": {"audit": ""}, "audiences": {"audit": "a"}, "issuer": ""}
    stack: Any = type("Stack", (), {**known, "operator_secret": ""})
    session = Session(cast(LocalStack, stack), cast(HttpClient, answer))
    return await session.save(
        "audit", "/v1/exports", {}, "auditor", "a", out, ends=ends, heard=heard
    )


@pytest.mark.anyio
async def test_a_refusal_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "entries.csv"
    out.write_bytes(b"first part")
    for ends in (None, b"\n"):
        with pytest.raises(HttpError):
            await save(Answer(error=HttpError(403)), out, ends)
        assert out.read_bytes() == b"first part"


@pytest.mark.parametrize(
    ("ends", "broken", "kept"),
    [
        (b"\n", b'{"n":1}\n{"n":2', b'{"n":1}\n'),
        (b"\n", b'{"n":1}\n', b'{"n":1}\n'),
        (b"\n", b'{"n":1', b""),
        (b'"\r\n', b'"1","of two\r\nlines"\r\n"2","of two\r\nli', b'"1","of two\r\nlines"\r\n'),
    ],
)
@pytest.mark.anyio
async def test_what_broke_off_stays_to_its_last_whole_line_and_the_rest_goes_behind_it(
    tmp_path: Path, ends: bytes, broken: bytes, kept: bytes
) -> None:
    out, heard = tmp_path / "entries", list[Mapping[str, str]]()
    with pytest.raises(HttpError):
        await save(Answer(broken, error=HttpError(None)), out, heard=heard.append)
    assert (heard, out.read_bytes()) == ([HEADERS], broken)
    await save(Answer(b"the rest"), out, ends)
    assert out.read_bytes() == kept + b"the rest"


@pytest.mark.parametrize("at_once", [1, 2, 3, 5, 1 << 20])
def test_a_last_line_of_any_length_is_cut(tmp_path: Path, at_once: int) -> None:
    out = tmp_path / "entries"
    for broken, kept in ((b'"1"\r\n"22222222222', 5), (b'"1"\r\n', 5), (b"1234567", 0), (b"", 0)):
        out.write_bytes(broken)
        _cut(out, b'"\r\n', at_once)
        assert out.read_bytes() == broken[:kept]


@pytest.mark.anyio
async def test_an_empty_answer_is_an_empty_file(tmp_path: Path) -> None:
    out = tmp_path / "entries.ndjson"
    out.write_bytes(b"of last year")
    await save(Answer(), out)
    assert out.read_bytes() == b""
