"""Counsel's list has every entry of the data files that is marked, and is up to date."""

import re

import pytest

from tools.for_counsel import PAGE, ROOT, SOURCES, found, page

MARK = re.compile(r"(?<!#)\b(?:\w+_)?confirmed: false\b|(?<!#)\bverify: true\b")


def test_the_page_says_what_the_files_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tools.for_counsel"


def test_no_mark_of_any_file_is_missing() -> None:
    listed = {path.name: len(marked) for path, marked in found()}
    for pattern in SOURCES:
        for path in ROOT.glob(pattern):
            lines = [each.split("#")[0] for each in path.read_text("utf-8").splitlines()]
            marks = sum(len(MARK.findall(line)) for line in lines)
            samples = sum("sample: true" in line for line in lines)
            assert listed.get(path.name, 0) == marks - samples, path.name


@pytest.mark.parametrize(
    "entry",
    ["emergency_call", "exigent_request", "miami_police", "special", "law_enforcement"],
)
def test_what_the_law_leaves_open_is_on_it(entry: str) -> None:
    assert f"\n| {entry} |" in page()
