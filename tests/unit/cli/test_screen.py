"""What others wrote is text on the terminal, and nothing else."""

import io
import json

import pytest
from rich.table import Table

from direct311.cli.screen import Screen, escaped, printable


def _shown(cell: str) -> str:
    out = io.StringIO()
    screen = Screen(file=out, width=120)
    table = Table("who", "why")
    table.add_row("ana (agent)", cell)
    screen.print(table)
    screen.print(f"reason: {cell}")
    return out.getvalue()


@pytest.mark.parametrize(
    "reason",
    [
        "[/x] because",
        "[conceal]nobody sees this[/conceal]",
        "[link=https://example.org]Work order 1[/link]",
        "call back at [telephone] now :smiley:",
    ],
)
def test_a_reason_with_brackets_stands_as_it_was_written(reason: str) -> None:
    lines = [line for line in _shown(reason).splitlines() if reason in line]
    assert len(lines) == 2


def test_no_control_character_reaches_the_terminal() -> None:
    steering = "\x1b[2J\x1b]0;title\x07 \x9b31m \u202eback\u2066 \r gone"
    shown = _shown(steering)
    assert not set(shown) & set("\x1b\x07\x9b\u202e\u2066\r")
    assert "back" in shown


def test_json_says_the_same_and_steers_nothing() -> None:
    said = {"why": "\x9b2J \u202e back \u2028 \U000e0041 Ñandú 🙂"}
    shown = escaped(json.dumps(said, indent=2, ensure_ascii=False))
    assert json.loads(shown) == said
    assert not set(shown) & set("\x9b\u202e\u2028\U000e0041")
    assert "Ñandú 🙂" in shown


def test_letters_of_all_languages_and_lines_stay() -> None:
    text = "José Ñandú\nRené\u00a0Préval\t東京 🙂"
    assert printable(text) == text
