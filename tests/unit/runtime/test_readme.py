"""The runtime's README is its map: every module has a line, and every line a module."""

import re
from pathlib import Path

import direct311.runtime

PACKAGE = Path(direct311.runtime.__file__).parent
README = PACKAGE.parents[2] / "README.md"


def listed() -> list[str]:
    """The modules of the README, by the packages of its headings."""
    found: list[str] = []
    package = ""
    for line in README.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            heading = re.fullmatch(r"### `(\w+)`", line)
            package = f"{heading[1]}." if heading else ""
        elif row := re.match(r"\| `(\w+)` \| \S", line):
            found.append(package + row[1])
    return found


def test_every_module_has_its_line() -> None:
    paths = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
    there = [".".join(path.with_suffix("").parts) for path in paths if path.stem != "__init__"]
    assert sorted(listed()) == sorted(there)
