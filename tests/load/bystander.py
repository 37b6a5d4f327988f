"""What calls that need no token cost, and what a bystander notices while one of them is flooded.

`python -m tests.load.bystander` starts a stack of its own, stores requests, and goes through every
call that anybody may make of the six services. A flood comes from one network address, 18 calls a
second; another address reads the list of services meanwhile. Each latency stands beside the floor:
the same reads without the flood, measured right before. Prints a table for docs/results.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from deploy.local.stack import Stack
from direct311.cli.stack import LocalStack
from tests.load.listing import HEIGHT, SOUTH, WEST, WIDTH, fill

FLOOD = 18.0
"""Calls a second, as were seen to slow others down."""
READS = 40.0
"""A second, of the bystander."""
SECONDS = 1.5
IDLE = 1.0
CALLS = 40
ATTACKER, BYSTANDER = "127.0.0.2", "127.0.0.3"
STORED = 20_000
NOBODY = {"Authorization": "Bearer x.y.z"}
GZIP = {"Accept-Encoding": "gzip"}
PLAIN = {"Accept-Encoding": "identity"}
LINK = (
    "eyJhbGciOiJFZDI1NTE5IiwidHlwIjoiZGlyZWN0MzExLWxpbmsrand0Iiwia2lkIjoieCJ9.e30."
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)


@dataclass(frozen=True)
class Call:
    service: str
    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    note: str = ""
    flooded: bool = False

    @property
    def name(self) -> str:
        path = self.path.partition("?")[0]
        return f"{self.service} {self.method} {path}{f' ({self.note})' if self.note else ''}"


@dataclass(frozen=True)
class Noticed:
    call: Call
    status: int
    size: int
    cost: float
    floor: tuple[float, float] | None = None
    under: tuple[float, float] | None = None

    def row(self) -> str:
        alone = f"| {self.call.name} | {self.status} | {self.size:,} | {self.cost:.1f} "
        if self.floor is None or self.under is None:
            return f"{alone}| | | |"
        fifty, ninety_nine = (b / a for a, b in zip(self.floor, self.under, strict=True))
        return (
            f"{alone}| {self.floor[0]:.1f} / {self.floor[1]:.1f} "
            f"| {self.under[0]:.1f} / {self.under[1]:.1f} | {fifty:.1f} / {ninety_nine:.1f} |"
        )


def calls() -> list[Call]:
    """Every kind of call that needs no token."""
    box = f"{WEST + 0.3:.2f},{SOUTH + 0.3:.2f},{WEST + 0.4:.2f},{SOUTH + 0.4:.2f}"
    lat, long = SOUTH + HEIGHT / 2, WEST + WIDTH / 2
    v2, code = "/open311/v2", "ANI-STRAY-DOG"
    preflight = {
        "Origin": "https://page.example",
        "Access-Control-Request-Method": "GET",
    }
    found = [
        Call("intake", "/openapi.json", headers=PLAIN, flooded=True),
        Call("intake", "/openapi.json", headers=GZIP, note="gzip"),
        Call("intake", "/openapi.json", "HEAD"),
        Call("intake", "/docs"),
        Call("intake", "/redoc"),
        Call("intake", "/health/live"),
        Call("intake", "/health/ready", flooded=True),
        Call("intake", "/metrics", flooded=True),
        Call("intake", "/open311/discovery.xml"),
        Call("intake", f"{v2}/services.json"),
        Call("intake", f"{v2}/services/{code}.xml"),
        Call("intake", f"{v2}/requests.json?page_size=50", note="50 rows"),
        Call(
            "intake",
            f"{v2}/requests.xml?page_size=1000&extensions=true",
            note="1,000 rows",
            flooded=True,
        ),
        Call("intake", f"{v2}/requests.json?page=5000&page_size=100", note="page 5,000"),
        Call("intake", f"{v2}/requests/none.json"),
        Call("intake", f"{v2}/servicerequestupdates.json", note="all"),
        Call(
            "intake", f"/v1/requests/nearby?service_code={code}&lat={lat}&long={long}", flooded=True
        ),
        Call("intake", f"/v1/requests.geojson?bbox={box}&limit=500", note="500 rows", flooded=True),
        Call("intake", f"/v1/requests.atom?bbox={box}&limit=500", note="500 rows"),
        Call("intake", "/v1/policy"),
        Call("intake", "/v1/policy/versions"),
        Call("intake", "/v1/services", note="no key"),
        Call("intake", "/nowhere"),
        Call("intake", f"{v2}/services.json", "OPTIONS", preflight, note="preflight", flooded=True),
        Call("intake", f"{v2}/services.json", "DELETE", note="405"),
        Call("intake", "/staff/login"),
        Call("intake", "/staff/callback?state=x&code=y"),
        Call("intake", f"{v2}/requests.json", "POST", body=b"service_code=x", note="no key"),
        Call("intake", "/v1/counts", headers=NOBODY, note="bad token"),
        Call(
            "intake",
            "/v1/requests/none/subject",
            headers={"Authorization": f"Bearer {LINK}"},
            note="bad link",
            flooded=True,
        ),
        Call("audit", "/log/checkpoint", note="no token"),
        Call("audit", "/log/tile/0/000", headers=NOBODY, note="bad token"),
        Call("geo", "/locate?lat=25.7&lon=-80.3", note="no token"),
    ]
    for service in ("media", "geo", "routing", "retention", "audit"):
        found += [
            Call(service, "/openapi.json", headers=PLAIN, flooded=service == "audit"),
            Call(service, "/docs"),
            Call(service, "/health/ready"),
            Call(service, "/metrics"),
            Call(service, "/nowhere"),
            Call(service, "/v1/counts", headers=NOBODY, note="bad token"),
        ]
    return found


def _from(address: str) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(
        local_address=address, limits=httpx.Limits(max_connections=64)
    )
    return httpx.AsyncClient(transport=transport, timeout=30)


def _percentiles(took: Sequence[float]) -> tuple[float, float]:
    ordered = sorted(took)
    return 1000 * statistics.median(ordered), 1000 * ordered[int(len(ordered) * 0.99)]


async def _read(url: str, seconds: float) -> tuple[float, float]:
    """The bystander, at an even pace, each on its way when its time has come."""
    took: list[float] = []

    async def one(http: httpx.AsyncClient) -> None:
        began = time.perf_counter()
        (await http.get(url)).raise_for_status()
        took.append(time.perf_counter() - began)

    async with _from(BYSTANDER) as http:
        await http.get(url)
        await _paced(lambda: one(http), READS, seconds)
    return _percentiles(took)


def _flood(call: Call, url: str, seconds: float) -> None:
    """The attacker's process."""

    async def all_of_them() -> None:
        async with _from(ATTACKER) as http:
            request = http.build_request(call.method, url, headers=call.headers, content=call.body)

            async def one() -> None:
                with contextlib.suppress(httpx.HTTPError):
                    await http.send(request)

            await _paced(one, FLOOD, seconds)

    asyncio.run(all_of_them())


async def _paced(
    step: Callable[[], Coroutine[Any, Any, None]], rate: float, seconds: float
) -> None:
    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            tasks.create_task(step())


def _used(pid: int) -> float:
    """Seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _cost(pid: int, send: Callable[[], Coroutine[Any, Any, None]]) -> float:
    """Milliseconds of the service's processor for a call, less what it uses without one."""
    began, before = time.perf_counter(), _used(pid)
    await asyncio.sleep(IDLE)
    idle = (_used(pid) - before) / (time.perf_counter() - began)
    began, before = time.perf_counter(), _used(pid)
    for _ in range(CALLS):
        await send()
    took = time.perf_counter() - began
    return max(0.0, _used(pid) - before - idle * took) * 1000 / CALLS


async def measure(services: Mapping[str, str], processors: Mapping[str, int]) -> list[Noticed]:
    """All calls, one after the other; `services`: their addresses, `processors`: their ids."""
    found = []
    async with _from(ATTACKER) as http:
        for call in calls():
            url = services[call.service] + call.path
            read = services[call.service] + (
                "/open311/v2/services.json" if call.service == "intake" else "/health/live"
            )

            request = http.build_request(call.method, url, headers=call.headers, content=call.body)

            async def send(request: httpx.Request = request) -> None:
                with contextlib.suppress(httpx.HTTPError):
                    await http.send(request)

            answer = await http.send(request)
            cost = await _cost(processors[call.service], send)
            floor = under = None
            if call.flooded:
                floor = await _read(read, SECONDS)
                # In a process of its own, whose work is nobody's wait.
                flood = multiprocessing.get_context("spawn").Process(
                    target=_flood, args=(call, url, 2 * SECONDS + 2)
                )
                flood.start()
                await asyncio.sleep(2)
                under = await _read(read, SECONDS)
                flood.kill()
                flood.join()
            size = int(answer.headers.get("content-length") or len(answer.content))
            one = Noticed(call, answer.status_code, size, cost, floor, under)
            sys.stdout.write(one.row() + "\n")
            sys.stdout.flush()
            found.append(one)
    return found


HEAD = (
    "| call | status | bytes | ms of processor | bystander alone, p50 / p99 ms "
    "| under flood, p50 / p99 ms | times |\n|---|---|---|---|---|---|---|\n"
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load.bystander", description=__doc__)
    parser.add_argument("--stored", type=int, default=STORED, help="requests to read from")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="direct311-bystander-") as folder:
        stack = Stack.create(Path(folder) / "stack", ports="free", kind="test")
        try:
            stack.up()
            dev = LocalStack.model_validate(stack.dev)
            asyncio.run(fill(dev.database.url, "intake", arguments.stored, sys.stderr.write))
            sys.stdout.write(HEAD)
            pids = {each.name: each.pid for each in stack.status() if each.pid is not None}
            asyncio.run(measure(dev.services, pids))
        finally:
            stack.down()
    return 0


if __name__ == "__main__":
    sys.exit(main())
