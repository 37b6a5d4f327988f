"""Hostile calls in bytes to a running gateway: each refused in the format asked for, nothing of it
echoed, nothing stored."""

import asyncio
import contextlib
import socket
from urllib.parse import urlsplit

import pytest

from tests.support.county import County
from tests.support.submissions import submission

pytestmark = [pytest.mark.e2e, pytest.mark.anyio]

CANARY = b"Zoraida-Quintanilla"
PART = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
FILE = b'--b\r\nContent-Disposition: form-data; name="media"; filename="%s"\r\n\r\nx\r\n'
END = b"--b--\r\n"
MULTIPART = b"multipart/form-data; boundary=b"
FORM = b"application/x-www-form-urlencoded"


def _call(
    target: bytes, kind: bytes, body: bytes, *more: bytes, length: int | None = None
) -> bytes:
    head = [
        b"POST /open311/v2/requests.%s HTTP/1.1" % target,
        b"Host: localhost",
        b"Connection: close",
        b"Content-Type: " + kind,
        b"Content-Length: %d" % (len(body) if length is None else length),
        *more,
    ]
    return b"\r\n".join([*head, b"", body])


def _say(url: str, sent: bytes, seconds: float = 60.0) -> bytes:
    at = urlsplit(url)
    with socket.create_connection((at.hostname or "", at.port or 0), timeout=seconds) as raw:
        # It may have heard enough before the end.
        with contextlib.suppress(OSError):
            raw.sendall(sent)
        found = b""
        try:
            while piece := raw.recv(65_536):
                found += piece
        except ConnectionResetError:
            pass
        return found


async def _answer(county: County, sent: bytes) -> tuple[int, bytes]:
    answer = await asyncio.to_thread(_say, county.known.services["intake"], sent)
    return (int(answer.split(b" ", 2)[1]) if answer else 0), answer


async def _total(county: County) -> int:
    return (await county.counts("intake"))["total"]


BOMBS = {
    "no boundary": (b"multipart/form-data", PART % (b"description", CANARY) + END),
    "thousands of parts": (MULTIPART, PART % (b"description", CANARY) * 3000 + END),
    "hundreds of files": (MULTIPART, FILE % CANARY * 300 + END),
    "an endless header": (MULTIPART, b"--b\r\nX-%s: " % CANARY + b"x" * 300_000),
    "no end": (MULTIPART, PART % (b"description", CANARY)),
    "a header that splits": (
        MULTIPART,
        PART % (b'a"\r\nX-Injected: 1\r\nContent-Disposition: form-data; name="b', CANARY) + END,
    ),
    "fields beyond number": (FORM, b"&".join(b"f%d=%s" % (n, CANARY) for n in range(400))),
    "a form beyond measure": (FORM, b"description=" + CANARY * 40_000),
    "XML with entities": (
        b"text/xml",
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;%s</x>' % CANARY,
    ),
    "JSON": (b"application/json", b'{"description": "%s"}' % CANARY),
    "no text": (FORM, b"description=\xff" + CANARY),
}


@pytest.mark.parametrize("form", ["json", "xml"])
@pytest.mark.parametrize("case", BOMBS.values(), ids=BOMBS)
async def test_a_bomb_is_refused_in_the_format_asked_for(
    county: County, case: tuple[bytes, bytes], form: str
) -> None:
    kind, body = case
    before = await _total(county)
    status, answer = await _answer(county, _call(form.encode(), kind, body))
    assert status == 400
    assert (b"<error><code>400" in answer) == (form == "xml")
    assert (b'[{"code":400' in answer.replace(b": ", b":")) == (form == "json")
    assert CANARY not in answer
    assert b"passwd" not in answer
    assert b"x-injected" not in answer.lower()
    assert await _total(county) == before


@pytest.mark.timeout(120)
async def test_a_form_that_stops_on_the_way_is_cut(county: County) -> None:
    before = await _total(county)
    sent = [
        _call(form, FORM, b"description=" + CANARY, length=10_000) for form in (b"json", b"xml")
    ]
    answers = await asyncio.gather(*(_answer(county, each) for each in sent))
    for form, (status, answer) in zip(("json", "xml"), answers, strict=True):
        assert status == 408
        assert (b"<error><code>408" in answer) == (form == "xml")
        assert b"connection: close" in answer.lower()
        assert CANARY not in answer
    assert await _total(county) == before


@pytest.mark.parametrize(
    ("path", "host", "expected"),
    [
        (b"/open311/v2/services.json", b"evil.example", 400),
        (b"/open311/v2/services.json", b"localhost", 200),
        (b"/open311/v2/../v2/services.json", b"localhost", 404),
        (b"/open311/v2%2fservices.json", b"localhost", 404),
        (b"/open311/v2/requests/..%2f..%2fmetrics.json", b"localhost", 404),
        (b"//open311/v2/services.json", b"localhost", 404),
        (b"/open311/v2/requests/%00.json", b"localhost", 404),
        (b"http://evil.example/metrics", b"localhost", 200),
    ],
)
async def test_paths_and_hosts_that_play_tricks_find_nothing(
    county: County, path: bytes, host: bytes, expected: int
) -> None:
    sent = b"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % (path, host)
    status, answer = await _answer(county, sent)
    assert status == expected
    assert b"evil.example" not in answer


async def test_an_answer_holds_no_header_that_a_caller_made_up(county: County) -> None:
    fields = submission(800) | {"description": "a\r\nX-Injected: 1"}
    answer = await county.submit(fields, headers={"Idempotency-Key": "x" * 200})
    assert answer.status_code == 200
    assert "x-injected" not in answer.headers
    record_id = answer.json()[0]["service_request_id"]
    shown = await county.open311(f"requests/{record_id}.json", jurisdiction_id="a\r\nX-Injected: 1")
    assert shown.status_code == 404
    assert "x-injected" not in shown.headers
