"""Every file that a page of the documentation names exists, and every link leads somewhere."""

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.conformance import ROOT

# A path in backticks. `…`, `*` and `<name>` stand for any part of it.
NAMED = re.compile(r"`([\w./<>*…{},-]+\.(?:py|yaml|md))`")
# A folder of the repository, or something in it.
INSIDE = re.compile(r"`((?:tests|docs|libs|services|deploy|examples|tools)/[\w./<>*…-]*)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    found = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "SECURITY.md",
        ROOT / "CHANGELOG.md",
    ]
    found += (ROOT / "docs").rglob("*.md")
    found += ROOT.glob("libs/*/README.md")
    found += ROOT.glob("services/*/README.md")
    found += [ROOT / "deploy" / "README.md"]
    found += ROOT.glob("examples/*/README.md")
    return sorted(found)


@cache
def files() -> str:
    """All files and folders of the clone, one a line, each behind a slash."""
    return "\n".join(f"/{each}" for each in _files())


def _files() -> Iterator[str]:
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [each for each in folders if not each.startswith((".", "__pycache__"))]
        for name in names + folders:
            yield (Path(folder) / name).relative_to(ROOT).as_posix()


def exists(named: str) -> bool:
    """Whether a file or folder has this path, in full or as its end."""
    parts = re.split(r"(…|\*|<\w+>)", named.rstrip("/"))
    pattern = "".join(
        re.escape(each) if index % 2 == 0 else ".*" for index, each in enumerate(parts)
    )
    return re.search(rf"/{pattern}$", files(), re.MULTILINE) is not None


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    words = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", each).lower() for each in found)
    return {re.sub(r"[^\w\- ]", "", each).replace(" ", "-") for each in words}


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = NAMED.findall(text) + INSIDE.findall(text)
    # What begins at the root of a machine is an operator's own file.
    assert [each for each in named if not each.startswith("/") and not exists(each)] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    astray = []
    for target in LINK.findall(text):
        if target.startswith(("http", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        goal = (page.parent / path).resolve() if path else page
        if not goal.exists() or (anchor and goal.suffix == ".md" and anchor not in anchors(goal)):
            astray.append(target)
    assert astray == []


def test_a_file_that_is_not_there_is_told() -> None:
    assert exists("tests/unit/conformance/test_docs_name_what_exists.py")
    assert exists("runtime/…/access.yaml")
    assert not exists("runtime/no_such_module.py")
