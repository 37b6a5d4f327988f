"""A page that a program writes is written, or found to be out of date."""

from pathlib import Path

import pytest

from tools.written_page import write_or_check


def test_it_writes_the_page(tmp_path: Path) -> None:
    page = tmp_path / "codes.md"
    assert write_or_check(page, "new\n", "tools.codes", []) == 0
    assert page.read_text(encoding="utf-8") == "new\n"


def test_a_page_that_is_up_to_date_passes_the_check(tmp_path: Path) -> None:
    page = tmp_path / "codes.md"
    page.write_text("same\n", encoding="utf-8")
    assert write_or_check(page, "same\n", "tools.codes", ["--check"]) == 0


def test_a_page_that_is_out_of_date_fails_the_check_and_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "codes.md"
    page.write_text("old\n", encoding="utf-8")
    assert write_or_check(page, "new\n", "tools.codes", ["--check"]) == 1
    assert "python -m tools.codes" in capsys.readouterr().err
    assert page.read_text(encoding="utf-8") == "old\n"
