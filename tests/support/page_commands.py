"""The commands on the documentation's pages, with the output that each page shows for them."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from tests.support.conformance import ROOT

RUN = frozenset({"console", "sh", "python", "javascript", "js"})
"""The languages of blocks that a reader may run."""

_BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_PROMPT = "$ "


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code of a page, without its indentation."""

    language: str
    text: str
    line: int
    """Where its fence begins."""

    @property
    def first(self) -> str:
        """Its first line."""
        return self.text.partition("\n")[0]


@dataclass(frozen=True, slots=True)
class Command:
    """A command that a page tells its reader to type."""

    text: str
    shown: str
    """What the page shows as its output; empty if it shows nothing."""
    line: int


@dataclass(frozen=True, slots=True)
class NotRun:
    """What the test of a page does not run, and why."""

    page: str
    begins: str
    """How the command, or the first line of the block, begins."""
    reason: str

    def __str__(self) -> str:
        return f"{self.page}: {self.begins}"


@dataclass(frozen=True, slots=True)
class Rules:
    """How the pages are run: `pages.yaml`."""

    elsewhere: dict[str, dict[str, str]]
    """By page and language: the test that runs these blocks."""
    first: Sequence[str]
    """The pages to run first, in this order."""
    last: Sequence[str]
    """The pages to run last, in this order."""
    before: dict[str, Sequence[str]]
    """By page: commands that make what the page assumes."""
    varies: dict[str, Sequence[str]]
    """By page: phrases in which `#` is a number that differs from run to run."""
    typed: dict[str, dict[str, Sequence[str]]]
    """By page and beginning of a command: the lines to type when it asks."""
    not_run: Sequence[NotRun]

    def exception(self, page: str, text: str) -> NotRun | None:
        """The entry that names this command or block."""
        found = (each for each in self.not_run if each.page == page)
        return next((each for each in found if text.startswith(each.begins)), None)


@cache
def rules() -> Rules:
    """The rules of `pages.yaml`."""
    document = yaml.safe_load((Path(__file__).parent / "pages.yaml").read_text(encoding="utf-8"))
    named = [
        NotRun(page, each["begins"], each["reason"])
        for page, entries in document["not_run"].items()
        for each in entries
    ]
    return Rules(
        document["elsewhere"],
        document["first"],
        document["last"],
        document["before"],
        document["varies"],
        document["typed"],
        named,
    )


def pages() -> list[str]:
    """The pages with at least one block that a reader may run, by their path in the repository, in
    the order in which they are run."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
    found += sorted((ROOT / "docs").rglob("*.md"))
    for folder in ("libs", "services", "examples", "deploy", "tests"):
        found += sorted((ROOT / folder).rglob("README.md"))
    names = [each.relative_to(ROOT).as_posix() for each in found]
    names = [name for name in names if any(each.language in RUN for each in blocks(name))]
    ends = {*rules().first, *rules().last}
    return [*rules().first, *(name for name in names if name not in ends), *rules().last]


@cache
def blocks(page: str) -> Sequence[Block]:
    """All blocks of code of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return tuple(_blocks(text))


def _blocks(text: str) -> Iterator[Block]:
    for match in _BLOCK.finditer(text):
        width = len(match["indent"])
        lines = [line[width:] for line in match["text"].splitlines()]
        yield Block(match["language"], "\n".join(lines), text.count("\n", 0, match.start()) + 1)


def commands(block: Block) -> Sequence[Command]:
    """The commands of a console block: each begins with `$ ` and may have more lines; everything up
    to the next one is its output."""
    found: list[Command] = []
    lines = block.text.split("\n")
    number = 0
    while number < len(lines):
        if not lines[number].startswith(_PROMPT):
            raise AssertionError(f"line {block.line + 1 + number}: output without a command")
        start = number
        text = lines[number].removeprefix(_PROMPT)
        number += 1
        while number < len(lines) and not _complete(text):
            text += "\n" + lines[number]
            number += 1
        shown: list[str] = []
        while number < len(lines) and not lines[number].startswith(_PROMPT):
            shown.append(lines[number])
            number += 1
        found.append(Command(text, "\n".join(shown).strip(), block.line + 1 + start))
    return found


@cache
def _complete(text: str) -> bool:
    """Whether a shell would run this, and not wait for another line."""
    if text.endswith("\\"):
        return False
    checked = subprocess.run(
        ["bash", "-n"], input=text, capture_output=True, text=True, check=False
    )
    return checked.returncode == 0 and "here-document" not in checked.stderr
