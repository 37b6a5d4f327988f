"""Whatever goes wrong in a process, its output tells the kind of error and nothing else."""

import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from direct311.intake.settings import IntakeSettings

CANARY = "Maria-Lopez-305-555-0142"

PROGRAM = """
import asyncio, logging, sys, warnings
from contextlib import asynccontextmanager
from types import SimpleNamespace
import structlog
from fastapi import FastAPI, Request
from direct311.runtime.http.api import install
from direct311.runtime.http.health import Readiness
from direct311.runtime.process import serve
from direct311.runtime.telemetry import Metrics, configure_logging

CANARY, port, fails = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "fails"
configure_logging("test", "INFO")

def bug():
    raise ValueError(CANARY)

async def background():
    bug()

@asynccontextmanager
async def lifespan(_):
    if fails:
        bug()
    structlog.get_logger("own").error("own.event", error="ValueError")
    library = logging.getLogger("library")
    for number in range(50):
        library.warning("plain words of a library")
        library.warning("words with a number: %d", number)
    try:
        bug()
    except ValueError as error:
        structlog.get_logger("own").exception("own.exception")
        structlog.get_logger("own").error("own.exc_info", exc_info=error, stack_info=True)
        library.exception("about %s", CANARY)
        library.error("about %s", CANARY, exc_info=error, stack_info=True)
    library.error("Traceback (most recent call last):\\n  File\\nValueError: %s", CANARY)
    library.debug(CANARY)
    library.info(CANARY)
    asyncio.get_running_loop().create_task(background())
    asyncio.get_running_loop().call_soon(bug)
    yield

app = FastAPI(lifespan=lifespan)
install(app, Readiness(), Metrics())

@app.post("/length")
async def length(request: Request):
    return sum([len(chunk) async for chunk in request.stream()])

@app.post("/bug/{name}")
async def broken(name: str):
    bug()

settings = SimpleNamespace(
    host="127.0.0.1", port=port, hosts=(), proxies=(), public_url="http://x", most_connections=50
)
serve(app, settings)
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def program(port: int, ends: str) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, CANARY, str(port), ends],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ask(port: int, method: str, path: str, body: str = "") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def wait_until_it_answers(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError):
            ask(port, "GET", "/health/live")
            return
        assert time.monotonic() < deadline, "the program answers"
        time.sleep(0.1)


def test_errors_are_told_by_their_kind() -> None:
    port = free_port()
    with program(port, "works") as process:
        wait_until_it_answers(port)
        assert ask(port, "POST", f"/bug/{CANARY}?q={CANARY}", CANARY) == 500
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(f"NONSENSE {CANARY}\r\n\r\n".encode())
            raw.recv(1000)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
    lines = [json.loads(line) for line in output.splitlines()]
    said = {line["event"] for line in lines}
    assert CANARY not in output
    assert {"own.event", "own.exception", "own.exc_info", "http.error"} <= said
    told = [line["event"] for line in lines if "words" in line["event"]]
    assert told == ["plain words of a library", "words with a number: 0"]
    assert [line["error"] for line in lines if line["event"] == "library error"].count(
        "ValueError"
    ) >= 4
    assert all(line["service"] == "test" for line in lines)


def test_a_request_with_an_endless_head_is_refused_and_one_with_a_long_body_is_not() -> None:
    port = free_port()
    with program(port, "works"):
        wait_until_it_answers(port)
        for head in (b"GET /" + b"x" * 3_000_000, b"GET / HTTP/1.1\r\nX: " + b"x" * 3_000_000):
            with socket.create_connection(("127.0.0.1", port), timeout=30) as raw:
                with contextlib.suppress(OSError):
                    raw.sendall(head)
                with contextlib.suppress(ConnectionResetError):
                    assert raw.recv(1000).startswith(b"HTTP/1.1 400 ")
        assert ask(port, "POST", "/length", "x" * 3_000_000) == 200


def test_a_start_that_fails_is_told_by_its_kind() -> None:
    with program(free_port(), "fails") as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode not in (0, None)
    assert CANARY not in output
    assert "ValueError" in output
    assert "Traceback" not in output


def test_settings_that_are_wrong_are_named_without_their_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "INTAKE_KAFKA_PASSWORD": CANARY,
        "INTAKE_PORT": CANARY,
        "INTAKE_DATABASE_URL": CANARY,
        "INTAKE_ENVIRONMENT": CANARY,
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as wrong:
        IntakeSettings()
    assert "port" in str(wrong.value)
    assert CANARY not in str(wrong.value)
