"""What requests cost: processor time by process, and how each consumer gathers and waits."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from deploy.local.stack import Stack
from direct311.cli.stack import LocalStack

OURS = ("intake", "media", "geo", "routing", "retention", "audit")
OTHER = ("kafka", "database")
CONSUMERS = ("intake", "media", "geo", "routing", "retention")
"""Those whose batches are of the middle: audit only hears of accesses."""


def processor_seconds(pid: int | None) -> float:
    """What a process has used so far; fields 14 and 15 of proc(5)'s `stat`."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Batches:
    """What a consumer has done so far: seconds in batches, how many, and events in them."""

    seconds: float
    count: float
    events: float


@dataclass(frozen=True, slots=True)
class Reading:
    """At a moment: seconds of processor time by process, and batches by consumer."""

    at: float
    processor: Mapping[str, float]
    batches: Mapping[str, Batches]


def processor_of(stack: Stack) -> Callable[[], Mapping[str, float]]:
    """What each process of a stack, as it runs now, has used so far, in seconds."""
    pids = {each.name: each.pid for each in stack.status()}
    return lambda: {name: processor_seconds(pids[name]) for name in (*OURS, *OTHER)}


def read(stack: Stack) -> Reading:
    """Processor times and batches of a stack's processes as they are now."""
    dev = LocalStack.model_validate(stack.dev)
    return Reading(
        time.monotonic(),
        processor_of(stack)(),
        {name: _batches(dev.services[name]) for name in CONSUMERS},
    )


def _batches(url: str) -> Batches:
    lines = httpx.get(f"{url}/metrics", trust_env=False, timeout=30).text.splitlines()

    def total(name: str) -> float:
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    return Batches(
        total("direct311_batch_seconds_sum"),
        total("direct311_batch_seconds_count"),
        total("direct311_events_handled_total"),
    )


def idle(before: Reading, after: Reading) -> list[tuple[str, str, str]]:
    """Lines of the table: what the processes take while nothing is asked of them."""
    cores = {
        name: (after.processor[name] - before.processor[name]) / (after.at - before.at)
        for name in after.processor
    }
    ours = sum(cores[name] for name in OURS)
    others = ", ".join(f"{name} {cores[name]:.2f}" for name in OTHER)
    return [("idle, our processes", f"{ours:.2f} of a core", others)]


def spent(what: str, before: Reading, after: Reading, requests: int) -> list[tuple[str, str, str]]:
    """Lines of the table: processor milliseconds a request by process, and each consumer's
    batches."""
    each = {
        name: (after.processor[name] - before.processor[name]) / max(requests, 1) * 1000
        for name in after.processor
    }
    lines = [
        (
            f"processor time a request {what}",
            f"{sum(each.values()):.1f} ms",
            ", ".join(f"{name} {each[name]:.2f}" for name in sorted(each, key=lambda n: -each[n])),
        )
    ]
    for name in CONSUMERS:
        one, two = before.batches[name], after.batches[name]
        seconds, count = two.seconds - one.seconds, two.count - one.count
        if not count:
            continue
        busy = seconds / (after.at - before.at)
        lines.append(
            (
                f"{name}'s batches {what}",
                f"{count:,.0f} of {seconds / count * 1000:,.0f} ms",
                f"{(two.events - one.events) / count:,.1f} events each, busy {busy:.0%}",
            )
        )
    return lines
