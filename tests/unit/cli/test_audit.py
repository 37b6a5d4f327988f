"""What an auditor types is what the log is asked for."""

import asyncio
import io
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from direct311.cli import audit
from direct311.cli.screen import Screen

IDS = ("01a213de-31f0-7245-a5e0-10ea754957f7", "01a213de-31f0-7245-a5e0-10ea754957f8")
ENTRY: dict[str, Any] = {
    "index": 12,
    "occurred_at": "2026-11-30T15:00:00.123Z",
    "logged_at": "2026-11-30T15:00:01.000Z",
    "withheld": False,
    "actor": "eva",
    "actor_confirmed": True,
    "roles": ["animal_control_officer"],
    "action": "view",
    "outcome": "success",
    "fields": ["first_name", "last_name", "email", "phone"],
    "purpose": "county_business",
    "case_id": None,
    "record_ids": list(IDS),
    "signed_event": None,
}


class Log:
    """The log, as the commands ask it."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    async def get_query(
        self, _service: str, _path: str, query: dict[str, Any], *_: str
    ) -> dict[str, Any]:
        self.asked.append(query)
        return {"entries": [ENTRY], "next": None}

    async def post(self, _service: str, _path: str, body: Any, *_: str) -> dict[str, Any]:
        self.asked.append(body["filter"])
        key = [IDS[0] if each in ("record", "session") else each for each in body["by"]]
        at = ENTRY["occurred_at"]
        group = {"key": key, "count": 3, "first": at, "last": at}
        return {"groups": [group] if key else [], "entries": 3, "withheld": 0}


def _run(log: Log, width: int, *words: str, reference: str = "Letter 1") -> tuple[int, str]:
    out = io.StringIO()

    def run(work: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        asyncio.run(work(log))

    app = typer.Typer()
    audit.register(app, run, lambda _: None, Screen(file=out, width=width))
    told = {"DIRECT311_REFERENCE": reference}
    return CliRunner().invoke(app, words, env=told).exit_code, out.getvalue()


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("2026-11-30", "2026-11-30T00:00:00Z"),
        ("2026-11-30T08:30:00", "2026-11-30T08:30:00Z"),
        ("2026-11-30 08:30:00", "2026-11-30T08:30:00Z"),
        ("2026-11-30T00:00:00Z", "2026-11-30T00:00:00Z"),
        ("2026-11-30T15:00:00.123Z", "2026-11-30T15:00:00.123000Z"),
        ("2026-11-30T03:00:00-05:00", "2026-11-30T08:00:00Z"),
    ],
)
@pytest.mark.parametrize("command", ["entries", "count"])
@pytest.mark.parametrize("end", ["since", "until"])
def test_a_time_is_taken_as_answers_write_it(
    command: str, end: str, typed: str, asked: str
) -> None:
    log = Log()
    assert _run(log, 200, command, f"--{end}", typed)[0] == 0
    assert log.asked[0][end] == asked


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_ids_of_records_are_never_cut(width: int) -> None:
    code, shown = _run(Log(), width, "entries")
    assert code == 0
    assert all(each in shown for each in IDS)


@pytest.mark.parametrize(
    "by",
    [("record",), ("session",), ("record", "actor"), ("purpose", "session"), ("record", "session")],
)
def test_ids_that_are_counted_by_are_never_cut(by: Sequence[str]) -> None:
    code, shown = _run(Log(), 80, "count", *(word for each in by for word in ("--by", each)))
    assert code == 0
    assert IDS[0] in shown
    assert "…" not in shown


@pytest.mark.parametrize("command", ["entries", "count"])
def test_nothing_is_asked_without_a_reference(command: str) -> None:
    log = Log()
    assert _run(log, 100, command, reference="")[0] == 2
    assert log.asked == []
