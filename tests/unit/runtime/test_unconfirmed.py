"""Whatever a data file marks as unconfirmed is found, wherever it stands."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from direct311.cli.rules import app
from direct311.runtime.unconfirmed import unconfirmed

FILE = """
rules: county
citation: chapter 1
entries:
  - code: first
    title: Confirmed
    confirmed: true
  - code: second
    citation: section 2
    title: Not confirmed
    confirmed: false
  - code: third
    name: A sample
    sample: true
    confirmed: false
  - code: fourth
    extension: {days: 15, verify: true}
kinds:
  - {kind: police, days: 90, exempt_confirmed: false}
special: {code: charge, confirmed: false}
"""


def asked(path: Path, text: str) -> tuple[int, str]:
    path.write_text(text)
    done = CliRunner().invoke(app, ["unconfirmed", str(path)])
    return done.exit_code, done.output


def test_each_marked_entry_is_found_with_its_law() -> None:
    document = {
        "citation": "chapter 1",
        "entries": [
            {"code": "second", "citation": "section 2", "title": "Two", "confirmed": False},
            {"code": "fourth", "extension": {"days": 15, "verify": True}},
        ],
        "kinds": [{"kind": "police", "days": 90, "exempt_confirmed": False}],
    }
    assert [
        (each.entry, each.citation, each.says, each.mark) for each in unconfirmed(document)
    ] == [
        ("second", "section 2", "Two", "confirmed"),
        ("fourth / extension", "chapter 1", "days 15", "verify"),
        ("police", "chapter 1", "kind police, days 90", "exempt_confirmed"),
    ]


def test_the_command_names_what_is_left_in_a_countys_own_file(tmp_path: Path) -> None:
    code, text = asked(tmp_path / "own.yaml", FILE)
    assert code == 1
    found = [each for each in ("second", "fourth / extension", "police", "special") if each in text]
    assert len(found) == 4
    assert "first" not in text
    assert "third" not in text


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [("rules: county\nentries: [{code: a}]\n", 0, "confirmed"), ("a: [", 2, "not YAML")],
)
def test_the_exit_code_says_whether_something_is_left(
    tmp_path: Path, text: str, code: int, words: str
) -> None:
    done = asked(tmp_path / "own.yaml", text)
    assert done[0] == code
    assert words in done[1]
