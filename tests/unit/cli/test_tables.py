"""Every table of the command shows whole, at 80 columns, what is typed into the next command."""

import ast
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from direct311 import cli
from direct311.cli.screen import Screen, columns

FOLDER = Path(cli.__file__).parent
TYPED = {
    "agency": "sample_state_attorney",
    "address": "http://127.0.0.1:8315",
    "case": "01a213de-31f0-7245-a5e0-10ea754957f7",
    "case, hold": "01a213de-31f0-7245-a5e0-10ea754957f7",
    "denial": "01a213de-31f0-7245-a5e0-10ea754957f7",
    "for": "special_service_charge",
    "hold": "01a213de-31f0-7245-a5e0-10ea754957f7",
    "client": "another-citys-open311-gateway",
    "grant": "01a213de-31f0-7245-a5e0-10ea754957f7",
    "id": "01a213de-31f0-7245-a5e0-10ea754957f7",
    "job": "reindex",
    "kind": "instruments",
    "number": "+1 305 555 0142",
    "receipt": "SPD-2026-1187",
    "key-encryption key": "arn:aws:kms:us-east-1:direct311-intake",
    "offset": "1234567",
    "partition": "11",
    "record": "01a213de-31f0-7245-a5e0-10ea754957f7",
    "records": "01a213de-31f0-7245-a5e0-10ea754957f7",
    "request": "01a213de-31f0-7245-a5e0-10ea754957f7",
    "service": "retention",
    "session": "cb1f1092-c8a3-4e15-ad4f-44452c949cf7",
    "when (UTC)": "2026-11-30",
    "topic": "updates.regulatory_economic_resources",
}
"""By column: the longest that stands there."""
LONG = "a sentence of some length, such as the reason that somebody gave for what was done"


@dataclass(frozen=True)
class Printed:
    """A table of the source: its columns, and those that are never cut."""

    place: str
    names: tuple[str, ...]
    whole: tuple[str, ...]


def _calls() -> Iterator[tuple[Path, ast.Call]]:
    for path in sorted(FOLDER.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "columns":
                yield path, node


def _by_the_caller(call: ast.Call) -> bool:
    return any(isinstance(each, ast.Starred) for each in call.args)


def _printed(path: Path, call: ast.Call) -> Printed:
    (whole,) = [ast.literal_eval(each.value) for each in call.keywords if each.arg == "whole"]
    names = tuple(ast.literal_eval(each) for each in call.args)
    return Printed(f"{path.name}:{call.lineno}", names, whole)


TABLES = [_printed(*each) for each in _calls() if not _by_the_caller(each[1])]


def test_no_table_is_made_in_another_way() -> None:
    made = {
        path.name for path in FOLDER.glob("*.py") if " Table(" in path.read_text(encoding="utf-8")
    }
    assert made == {"screen.py"}
    # `audit count`, whose columns the caller chooses, has its own test in test_audit.py.
    assert [path.name for path, call in _calls() if _by_the_caller(call)] == ["audit.py"]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.place)
def test_what_is_typed_again_is_whole_at_80_columns(
    table: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = io.StringIO()
    made = columns(*table.names, whole=table.whole)
    made.add_row(*(TYPED[name] if name in table.whole else LONG for name in table.names))
    Screen(file=out).print(made)
    shown = out.getvalue()
    assert [name for name in table.whole if TYPED[name] not in shown] == []
    assert max(len(line) for line in shown.splitlines()) <= 80


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.place)
def test_nothing_else_is_cut_either(table: Printed) -> None:
    row = [TYPED[name] if name in table.whole else LONG for name in table.names]
    out = io.StringIO()
    made = columns(*table.names, whole=table.whole)
    made.add_row(*row)
    Screen(file=out, width=80).print(made)
    lines = [line.split("│")[1:-1] for line in out.getvalue().splitlines() if "│" in line]
    cells = ["".join(parts).replace(" ", "") for parts in zip(*lines, strict=True)]
    assert cells == [text.replace(" ", "") for text in row]
