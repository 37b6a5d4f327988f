"""Load: as fast as eight connections go (wrk), and at a steady rate (open loop)."""

import asyncio
import contextlib
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from direct311.cli.reporters import reporter

CONNECTIONS = 8
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class GeneratorError(Exception):
    """The load generator is missing or failed; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Answers a second, and the latencies of the middle and of the slowest in a hundred, in ms."""

    per_second: float
    p50: float
    p99: float
    failed: int


def form(number: int, key: str, run: str) -> bytes:
    """A typical submission: a point, a sentence, a reporter."""
    person = reporter(number)
    fields = {
        "api_key": key,
        "service_code": "ANI-STRAY-DOG",
        "lat": f"{25.60 + number % 300 / 1000:.6f}",
        "long": f"{-80.40 + number // 7 % 180 / 1000:.6f}",
        "description": f"A brown dog without a collar along the canal, seen {number} times {run}",
        "first_name": person.first_name,
        "last_name": person.last_name,
        "email": person.email,
        "phone": person.phone,
        "client_request_id": f"{run}-{number}",
    }
    return urlencode(fields).encode()


_SCRIPT = """
local n = 0
request = function()
  n = n + 1
  local lat = 25.60 + (n % 300) / 1000
  local long = -80.40 + (math.floor(n / 7) % 180) / 1000
  local body = string.format("{body}", lat, long, n, n, n)
  return wrk.format("POST", "/open311/v2/requests.json",
    {{["Content-Type"] = "application/x-www-form-urlencoded"}}, body)
end
"""


def burst(url: str, key: str, seconds: int, folder: Path) -> Burst:
    """As many submissions as eight connections take.

    :raises GeneratorError: wrk failed.
    """
    run = uuid4().hex[:8]
    body = (
        f"api_key={key}&service_code=ANI-STRAY-DOG&lat=%.6f&long=%.6f"
        f"&description=A+brown+dog+without+a+collar+runs+along+the+canal+seen+%d+times+{run}"
        "&first_name=Zoraida&last_name=Quintanilla&email=z%d@example.com&phone=305-555-0142"
        f"&client_request_id={run}-%d"
    )
    script = folder / "burst.lua"
    script.write_text(_SCRIPT.format(body=body))
    script.chmod(0o600)
    try:
        return _wrk(url, seconds, "-s", str(script))
    finally:
        script.unlink()


def reads(url: str, seconds: int, *headers: str) -> Burst:
    """As many answers to one question as eight connections take.

    :raises GeneratorError: wrk failed.
    """
    return _wrk(url, seconds, *(word for header in headers for word in ("-H", header)))


def _wrk(url: str, seconds: int, *more: str) -> Burst:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", *more, url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise GeneratorError(f"wrk failed: {done.stderr.strip()[-200:]}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    if rate is None:
        raise GeneratorError("wrk said nothing of a rate")
    return Burst(
        float(rate[1]),
        _milliseconds(done.stdout, "50%"),
        _milliseconds(done.stdout, "99%"),
        int(failed[1]) if failed else 0,
    )


def _milliseconds(text: str, line: str) -> float:
    found = re.search(rf"^\s+{re.escape(line)}\s+([\d.]+)(us|ms|s)", text, re.MULTILINE)
    if found is None:
        return float("nan")
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


async def steady(url: str, key: str, rate: int, seconds: int) -> list[str]:
    """Submissions at a steady rate, whatever the answers take; the ids that were accepted.

    A connection is taken from a pool for each, and made where none is free.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    run = uuid4().hex[:8]
    free: list[Connection] = []
    accepted: list[str] = []

    async def sent(connection: Connection, body: bytes) -> bytes:
        """The answer's head."""
        reader, writer = connection
        writer.write(
            b"POST /open311/v2/requests.json HTTP/1.1\r\nHost: %s\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: %d\r\n\r\n" % (host.encode(), len(body)) + body
        )
        return await reader.readuntil(b"\r\n\r\n")

    async def answered(body: bytes) -> tuple[Connection, bytes]:
        """The connection on which an answer begins, and the answer's head."""
        while free:
            kept = free.pop()
            # The server closes what is idle for long; then the same submission goes out again.
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                return kept, await sent(kept, body)
        connection = await asyncio.open_connection(host, port)
        return connection, await sent(connection, body)

    async def one(number: int) -> None:
        connection, head = await answered(form(number, key, run))
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        answer = await connection[0].readexactly(int(length[1]) if length else 0)
        free.append(connection)
        found = re.search(rb'"service_request_id":"([^"]+)"', answer)
        if b" 200 " in head[:20] and found:
            accepted.append(found[1].decode())

    started = time.monotonic()
    tasks = []
    for number in range(rate * seconds):
        delay = started + number / rate - time.monotonic()
        if delay > 0:
            await asyncio.sleep(delay)
        tasks.append(asyncio.create_task(one(number)))
    await asyncio.gather(*tasks)
    for _, writer in free:
        writer.close()
    return accepted
