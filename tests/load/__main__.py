"""`make bench`: every figure in one run on one machine, with ratios against a floor of the run.

Prints a table and writes it to docs/results with date, machine and commit.
"""

import argparse
import asyncio
import contextlib
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from rich.console import Console
from rich.table import Table

from deploy.local.stack import Stack
from direct311.cli.stack import LocalStack
from direct311.schemas import decode, events, read_headers
from tests.load.cases.beside import beside
from tests.load.cases.collecting import collecting
from tests.load.cases.grants import grants
from tests.load.cases.orders import approvals
from tests.load.cases.table import (
    COLLECTION_RECORDS,
    Line,
    beside_lines,
    collection_lines,
    grant_lines,
    order_lines,
)
from tests.load.costs import idle, processor_of, processor_seconds, read, spent
from tests.load.generators import Burst, burst, form, reads, steady
from tests.load.history import history_times
from tests.load.leak_scan import PACKAGES, RECORDS, false_stops, leak_scan_rate
from tests.load.listing import fill, list_times
from tests.load.log_appends import append_floor, append_rate
from tests.load.log_rebuild import rebuild_rate
from tests.load.openings import openings
from tests.load.packages import MOST_MEGABYTES, package_memory
from tests.load.proof_size import proof_bytes
from tests.load.renderings import MOST_SECONDS, renderings
from tests.load.verification import verification_rates
from tests.support.county import entering, groups_of

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results"
RATES = (50, 100, 200)
TURNS = 5
OF_CASES = ("grants", "collecting", "orders", "gateway-with-cases")
PARTS = ("gateway", "middle", "log", "lists", "files", "leaks", "packages", *OF_CASES)
IDLE_SECONDS = 20
OTHERS = ("media", "geo", "routing", "retention", "audit")
console = Console()


@dataclass
class Figures:
    """What was measured, line by line."""

    lines: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, what: str, value: str, note: str = "") -> None:
        self.lines.append((what, value, note))
        console.print(f"  {what}: {value} {note}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="length of each burst")
    parser.add_argument("--steady", type=int, default=60, help="length of each steady rate")
    parser.add_argument(
        "--stored",
        type=int,
        default=100_000,
        help="requests to store before the steady rates are measured again; 0: not again",
    )
    parser.add_argument(
        "--history", type=int, nargs="*", default=[1_000_000, 5_000_000], help="sizes of the log"
    )
    parser.add_argument(
        "--listed", type=int, nargs="*", default=[10_000, 1_000_000], help="requests to list from"
    )
    parser.add_argument("--events", type=int, default=20_000, help="access events to append")
    parser.add_argument("--grants", type=int, default=100, help="grants of disclosure cases")
    parser.add_argument(
        "--collected", type=int, default=COLLECTION_RECORDS, help="records of a case to collect"
    )
    parser.add_argument(
        "--open-cases",
        type=int,
        nargs="*",
        default=[300],
        help="so many beside approvals of orders, in pairs with none",
    )
    parser.add_argument("--orders", type=int, default=100, help="pairs of approvals")
    parser.add_argument(
        "--only", nargs="*", choices=PARTS, help="parts to measure; nothing is written then"
    )
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        parser.error("wrk is missing: apt-get install wrk")
    started = time.monotonic()
    figures = Figures()
    wanted = arguments.only or PARTS
    if "files" in wanted:
        _files(figures)
    if "leaks" in wanted:
        _leaks(figures)
    if "packages" in wanted:
        _packages(figures)
    if {*wanted} <= {"leaks", "packages"}:
        return 0
    with tempfile.TemporaryDirectory(prefix="direct311-bench-") as folder:
        if {*wanted} & {"gateway", "middle", "log"}:
            with _stack(Path(folder) / "stack") as stack:
                if "gateway" in wanted:
                    _gateway(stack, Path(folder), arguments, figures)
                if "middle" in wanted:
                    _middle(stack, Path(folder), arguments, figures)
                if "log" in wanted:
                    _log(stack, arguments, figures)
        if arguments.listed and "lists" in wanted:
            with _stack(Path(folder) / "lists") as stack:
                _lists(stack, arguments.listed, figures)
        if wanted_cases := [part for part in OF_CASES if part in wanted]:
            with _stack(Path(folder) / "cases") as stack:
                asyncio.run(_cases(stack, Path(folder), wanted_cases, arguments, figures))
    if not arguments.only:
        _write(figures, time.monotonic() - started)
    return 0


def _leaks(figures: Figures) -> None:
    """The leak check of packages, which needs no server."""
    rate, prints = leak_scan_rate()
    figures.add("leak scan", f"{rate:.1f} MB/s a core", f"{prints:,} values of {RECORDS} records")
    figures.add("false stops", f"{false_stops()} of {PACKAGES}", "clean packages of 30 records")


async def _cases(
    stack: Stack, folder: Path, parts: Sequence[str], arguments: Any, figures: Figures
) -> None:
    """Disclosure cases, with all services running."""

    def add(lines: Iterable[Line]) -> None:
        for line in lines:
            figures.add(*line)

    async with entering(stack) as county:
        if "grants" in parts:
            console.print(f"{arguments.grants} grants, each approved, used and revoked")
            add(grant_lines(await grants(county, arguments.grants)))
        if "orders" in parts:
            console.print("destruction orders approved beside open cases, in turns")
            told = arguments.open_cases, arguments.orders
            add(order_lines(await approvals(county, *told, console.print)))
        if "collecting" in parts:
            console.print(f"{arguments.collected:,} records of a case collected and packaged")
            found = await collecting(county, arguments.collected, console.print)
            add(collection_lines(found))
        if "gateway-with-cases" in parts:
            console.print("the gateway beside the work of a case, in turns")
            # A process counts how much all custodians open in an hour.
            stack.restart("intake")
            key, seconds = county.known.api_keys["app"], arguments.seconds
            intake = county.known.services["intake"]
            with _bare(county.known) as bare:
                burst(bare, key, 3, folder)
                turns = await beside(
                    county,
                    TURNS,
                    seconds,
                    lambda: burst(bare, key, seconds, folder),
                    lambda: burst(intake, key, seconds, folder),
                    processor_of(stack),
                    console.print,
                )
            add(beside_lines(turns, seconds))


def _packages(figures: Figures) -> None:
    """A package of 2 GB from collecting to the requester."""
    found = package_memory()
    note = f"{found.size / 1024**3:.2f} GB; at most {MOST_MEGABYTES} MB"
    for name, peak in (("retention", found.retention), ("the gateway", found.gateway)):
        figures.add(f"peak memory of {name} for a package", f"{peak:,.0f} MB", note)
    figures.add("  collected, built and searched in", f"{found.built_seconds:.0f} s")
    figures.add("  downloaded at the gateway in", f"{found.fetched_seconds:.0f} s")


@contextmanager
def _stack(folder: Path) -> Iterator[Stack]:
    stack = Stack.create(folder, "free", kind="test")
    stack.narrate(lambda line: console.print(line, style="dim"))
    try:
        stack.up()
        yield stack
    finally:
        stack.down()


def _files(figures: Figures) -> None:
    """Files of disclosure cases, with boxes burnt in."""
    for each in renderings():
        note = f"{each.size / 1024**2:.1f} MB"
        if "PDF" in each.what:
            note += f"; at most {MOST_SECONDS} s"
        figures.add(f"rendering: {each.what}", f"{each.seconds:.1f} s", note)


def _gateway(stack: Stack, folder: Path, arguments: Any, figures: Figures) -> None:
    """The gateway by itself, and with all services running, beside a floor of the same turn."""
    dev = LocalStack.model_validate(stack.dev)
    intake, key = dev.services["intake"], dev.api_keys["app"]
    console.print("the floor (a bare handler with one journaled insert) and the gateway, in turns")
    for name in OTHERS:
        stack.stop(name)
    with _bare(dev) as bare:
        for url in (bare, intake):
            burst(url, key, 3, folder)
        floors, bursts = [], []
        for _ in range(TURNS):
            # What else happens on the machine meets both; what the database has to do after a
            # burst (checkpoints, the relay's marks) meets neither.
            _settle(stack)
            floors.append(burst(bare, key, arguments.seconds, folder))
            _settle(stack)
            bursts.append(burst(intake, key, arguments.seconds, folder))
        floor, alone = _median(floors), _median(bursts)
        figures.add("floor", f"{floor.per_second:,.0f}/s", _latency(floor))
        stored = _one_stored(bare, key)
        floor_read = reads(f"{bare}/open311/v2/requests/{stored}.json", arguments.seconds)
        figures.add("floor of a read", f"{floor_read.per_second:,.0f}/s", _latency(floor_read))
    pairs = zip(bursts, floors, strict=True)
    ratios = [ours.per_second / theirs.per_second for ours, theirs in pairs]
    figures.add("gateway alone", f"{alone.per_second:,.0f}/s", _latency(alone))
    turns = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    figures.add("  ratio to the floor", f"{statistics.median(ratios):.2f}", f"in turns: {turns}")
    with _bare(dev, "direct") as bare:
        burst(bare, key, 3, folder)
        direct = burst(bare, key, arguments.seconds, folder)
    figures.add(
        "floor through PyMongo's own client", f"{direct.per_second:,.0f}/s", _latency(direct)
    )
    figures.add("  ratio of the gateway to it", f"{alone.per_second / direct.per_second:.2f}")
    _reads(intake, key, arguments.seconds, floor_read, figures)

    console.print("the gateway with all services running and the backlog draining, in turns")
    for name in OTHERS:
        stack.start(name)
    for name in OTHERS:
        stack.wait_ready(name)
    together, ratios = [], []
    with _bare(dev) as bare:
        for _ in range(TURNS):
            one = burst(bare, key, arguments.seconds, folder)
            together.append(burst(intake, key, arguments.seconds, folder))
            ratios.append(together[-1].per_second / one.per_second)
    shared = _median(together)
    figures.add("gateway, all running", f"{shared.per_second:,.0f}/s", _latency(shared))
    figures.add("  ratio to the floor", f"{shared.per_second / floor.per_second:.2f}")
    turns = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    figures.add(
        "  ratio to a floor beside the same backlog",
        f"{statistics.median(ratios):.2f}",
        f"in turns: {turns}",
    )
    drained = asyncio.run(_drain(dev))
    figures.add(
        "  backlog drained in",
        f"{drained:.1f} s after the bursts",
        "those of the gateway alone are part of it",
    )


def _middle(stack: Stack, folder: Path, arguments: Any, figures: Figures) -> None:
    """From acceptance to the department, and what that costs: on an empty store, and on a full
    one."""
    dev = LocalStack.model_validate(stack.dev)
    _settle(stack)
    before = read(stack)
    time.sleep(IDLE_SECONDS)
    for line in idle(before, read(stack)):
        figures.add(*line)
    for rate in RATES:
        _steady(stack, dev, rate, arguments.steady, figures)
    if arguments.stored:
        _fill(stack, dev, folder, arguments.stored, figures)
        for rate in RATES:
            _steady(stack, dev, rate, arguments.steady, figures, ", many stored")


def _steady(
    stack: Stack, dev: LocalStack, rate: int, seconds: int, figures: Figures, where: str = ""
) -> None:
    """One steady rate, with everything running."""
    console.print(f"accepted → routed at a steady {rate}/s for {seconds} s{where}")
    before = read(stack)
    start = asyncio.run(_ends(dev))
    accepted = asyncio.run(steady(dev.services["intake"], dev.api_keys["app"], rate, seconds))
    found = asyncio.run(_routed(dev, start, set(accepted)))
    figures.add(
        f"accepted → routed at {rate}/s{where}",
        f"p50 {_percentile(found, 50):,.0f} ms, p99 {_percentile(found, 99):,.0f} ms",
        f"{len(accepted)} accepted, {len(found)} routed",
    )
    asyncio.run(_drain(dev))
    for line in spent(f"at {rate}/s{where}", before, read(stack), len(accepted)):
        figures.add(*line)


def _fill(stack: Stack, dev: LocalStack, folder: Path, wanted: int, figures: Figures) -> None:
    """Store so many requests, in bursts with everything running, and let the backlog drain."""
    console.print(f"{wanted:,} requests, as fast as the gateway takes them")
    first = sum(asyncio.run(_ends(dev)).values())
    accepted = 0
    while accepted < wanted:
        one = burst(dev.services["intake"], dev.api_keys["app"], 20, folder)
        accepted += round(one.per_second * 20)
    routed = sum(asyncio.run(_ends(dev)).values()) - first
    seconds = asyncio.run(_drain(dev))
    left = sum(asyncio.run(_ends(dev)).values()) - first - routed
    figures.add(
        "backlog drained",
        f"{left / seconds:,.0f}/s",
        f"{left:,} of {accepted:,} requests in {seconds:,.0f} s, once the bursts were over",
    )
    _settle(stack)


def _log(stack: Stack, arguments: Any, figures: Figures) -> None:
    """What the audit log takes in and gives, and opening beside it."""
    dev = LocalStack.model_validate(stack.dev)
    # A backlog of the steady rates is no part of what follows.
    asyncio.run(_drain(dev))
    _settle(stack)
    console.print(f"audit appends of {arguments.events} prepared access events")
    rate_appended, behind = append_rate(stack, arguments.events)
    figures.add("audit appends", f"{rate_appended:,.0f}/s", "from a prepared topic")
    figures.add("  query index caught up", f"{behind:.1f} s later", "10 s at most")
    for copies, floor in ((1, "one bare appender"), (os.cpu_count() or 1, "one for each core")):
        least = append_floor(stack, arguments.events, copies)
        figures.add(f"  floor: {floor}", f"{least:,.0f}/s", "read, check, seal, insert")
        figures.add("  ratio to it", f"{rate_appended / least:.2f}")
    console.print("the query index dropped and made again")
    rate_rebuilt, entries = rebuild_rate(stack)
    figures.add("audit rebuild", f"{rate_rebuilt:,.0f}/s", f"{entries:,} entries opened")
    _settle(stack)
    console.print("opening, beside the acknowledged send that it begins with")
    for measured in openings(stack):
        for percent in (50, 99):
            acked = _percentile(measured.acknowledged, percent)
            opened = _percentile(measured.opened, percent)
            figures.add(
                f"open at {measured.callers}, p{percent}",
                f"{opened:.1f} ms",
                f"{opened - acked:+.1f} ms above the broker's acknowledgement ({acked:.1f} ms)",
            )
    figures.add("proof", f"{proof_bytes(100_000_000, 3):,} bytes", "100M entries, 3 cosignatures")
    rates = verification_rates()
    figures.add("receipts verified", f"{rates.receipts:,.0f}/s", "opened, and signatures checked")
    figures.add("whole log verified", f"{rates.entries:,.0f}/s", "entries hashed into the root")
    console.print("one person's history")
    sizes = tuple(arguments.history)
    for each in asyncio.run(history_times(dev.database.url, sizes, console.print)):
        figures.add(
            f"{each.question}, {each.entries:,} entries",
            f"p50 {each.p50:,.1f} ms, p99 {each.p99:,.1f} ms",
            "from the query index",
        )
    for name in ("kafka", "database", "store", "identity", "witness-1", *stack.services):
        figures.add(f"memory {name}", f"{_memory(stack, name):,.0f} MB")


def _median(bursts: Sequence[Burst]) -> Burst:
    """That with the middle rate."""
    return sorted(bursts, key=lambda found: found.per_second)[len(bursts) // 2]


def _lists(stack: Stack, sizes: Sequence[int], figures: Figures) -> None:
    """On a stack of their own: what the bursts left lies within a minute, as no requests do."""
    dev = LocalStack.model_validate(stack.dev)
    for name in OTHERS:
        stack.stop(name)
    for size in sizes:
        console.print(f"lists of {size:,} stored requests")
        asyncio.run(fill(dev.database.url, "intake", size, console.print))
        _settle(stack)
        for found in asyncio.run(list_times(dev.services["intake"], size)):
            figures.add(
                f"{found.question}, {size:,} stored",
                f"p50 {found.p50:,.1f} ms, p99 {found.p99:,.1f} ms",
                f"{found.rows} rows, slowest {found.slowest:,.1f} ms",
            )


def _settle(stack: Stack) -> None:
    """Wait until the database has written out what was filled in, and the relays' marks."""
    pid = next(each.pid for each in stack.status() if each.name == "database")
    deadline = time.monotonic() + 180
    busy = 1.0
    while busy > 0.1 and time.monotonic() < deadline:
        before = processor_seconds(pid)
        time.sleep(3)
        busy = (processor_seconds(pid) - before) / 3


def _reads(intake: str, key: str, seconds: int, floor: Burst, figures: Figures) -> None:
    """What anybody may read: the catalogue, and one request."""
    services = f"{intake}/open311/v2/services.json"
    listed = reads(services, seconds)
    figures.add("GET services", f"{listed.per_second:,.0f}/s", _latency(listed))
    tag = httpx.get(services, trust_env=False).headers["etag"]
    same = reads(services, seconds, f"If-None-Match: {tag}")
    figures.add("GET services, unchanged (304)", f"{same.per_second:,.0f}/s", _latency(same))
    one = reads(f"{intake}/open311/v2/requests/{_one_stored(intake, key)}.json", seconds)
    figures.add("GET one request", f"{one.per_second:,.0f}/s", _latency(one))
    figures.add("  ratio to the floor of a read", f"{one.per_second / floor.per_second:.2f}")


def _one_stored(url: str, key: str) -> str:
    answer = httpx.post(
        f"{url}/open311/v2/requests.json",
        content=form(0, key, "read"),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        trust_env=False,
    )
    return str(answer.raise_for_status().json()[0]["service_request_id"])


@contextmanager
def _bare(dev: LocalStack, client: str = "motor") -> Iterator[str]:
    """The floor's own server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.load.floor", dev.database.url, "floor", str(port), client],
        cwd=ROOT,
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _latency(found: Burst) -> str:
    failed = f", {found.failed} failed" if found.failed else ""
    return f"p50 {found.p50:.1f} ms, p99 {found.p99:.1f} ms{failed}"


def _percentile(values: Sequence[float], percent: int) -> float:
    if len(values) < 2:
        return float("nan")
    return statistics.quantiles(values, n=100)[percent - 1]


def _consumer(dev: LocalStack, *topics: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        *topics,
        bootstrap_servers=dev.kafka.bootstrap,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-256",
        sasl_plain_username=dev.kafka.username,
        sasl_plain_password=dev.kafka.password,
        enable_auto_commit=False,
    )


def _partitions(consumer: AIOKafkaConsumer) -> list[TopicPartition]:
    found = consumer.partitions_for_topic("request.routed") or set()
    return [TopicPartition("request.routed", number) for number in sorted(found)]


async def _ends(dev: LocalStack) -> dict[TopicPartition, int]:
    """Where the topic of routed requests ends now."""
    consumer = _consumer(dev, "request.routed")
    await consumer.start()
    try:
        ends: dict[TopicPartition, int] = await consumer.end_offsets(_partitions(consumer))
        return ends
    finally:
        await consumer.stop()


async def _routed(
    dev: LocalStack, start: dict[TopicPartition, int], wanted: set[str]
) -> list[float]:
    """Milliseconds from acceptance by the gateway to the send of the first `request.routed`."""
    consumer = _consumer(dev)
    await consumer.start()
    found: dict[str, float] = {}
    deadline = time.monotonic() + 120
    try:
        consumer.assign(list(start))
        for partition, offset in start.items():
            consumer.seek(partition, offset)
        while wanted - found.keys() and time.monotonic() < deadline:
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                for message in batch:
                    data = decode(read_headers(message.headers), message.value or b"").data
                    if not isinstance(data, events.RequestRouted) or data.record_id not in wanted:
                        continue
                    accepted = data.received_at.timestamp() * 1000
                    found.setdefault(data.record_id, message.timestamp - accepted)
    finally:
        # The client cancels a task of its own, and does not always catch that.
        with contextlib.suppress(asyncio.CancelledError):
            await consumer.stop()
    return list(found.values())


async def _drain(dev: LocalStack) -> float:
    """Seconds until nothing waits for any service, in a topic or in hand."""
    security: dict[str, Any] = {
        "bootstrap_servers": dev.kafka.bootstrap,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": dev.kafka.username,
        "sasl_plain_password": dev.kafka.password,
    }
    admin, consumer = AIOKafkaAdminClient(**security), AIOKafkaConsumer(**security)
    started = time.monotonic()
    quiet = 0
    await admin.start()
    await consumer.start()
    try:
        while quiet < 3:
            behind = 0
            for group in await groups_of(admin, dev.services):
                committed = await admin.list_consumer_group_offsets(group)
                ends = await consumer.end_offsets(list(committed))
                behind += sum(ends[each] - at.offset for each, at in committed.items())
            # What is handled leads to more: nothing has to wait three times in a row.
            quiet = quiet + 1 if behind == 0 else 0
            if time.monotonic() - started > 600:
                raise SystemExit("the backlog did not drain in ten minutes")
            await asyncio.sleep(0.5)
    finally:
        await consumer.stop()
        await admin.close()
    return time.monotonic() - started


def _memory(stack: Stack, name: str) -> float:
    """Resident memory of a part and its children, in MB."""
    part = next(each for each in stack.status() if each.name == name)
    if part.pid is None:
        return 0.0
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:
            continue
        fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        mine = status.parent.name == str(part.pid) or fields.get("PPid") == str(part.pid)
        if mine and "VmRSS" in fields:
            total += int(fields["VmRSS"].split()[0])
    return total / 1024


def _write(figures: Figures, seconds: float) -> None:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    cpu = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    machine = f"{os.cpu_count()} cores, {cpu}, Python {platform.python_version()}"
    today = datetime.now(UTC).date().isoformat()
    table = Table("figure", "value", "", title=f"{today}, {commit}, {machine}")
    for line in figures.lines:
        table.add_row(*line)
    console.print(table)
    RESULTS.mkdir(parents=True, exist_ok=True)
    page = [
        f"# Bench of {today}",
        "",
        f"Commit `{commit}`; {machine}; {seconds / 60:.0f} minutes. `make bench` prints it again.",
        "",
        "| figure | value | |",
        "|---|---|---|",
        *(f"| {what.strip()} | {value} | {note} |" for what, value, note in figures.lines),
        "",
    ]
    path = RESULTS / f"bench-{today}.md"
    path.write_text("\n".join(page))
    console.print(f"written to {path.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
