"""`direct311 case review-file`: what it sends, shows and saves."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from direct311.cli import case_files
from direct311.cli.screen import Screen

CASE, FILE = "01a213de-31f0-7245-a5e0-10ea754957f7", "01a22f71-2b80-7f02-93c4-77f1c0a3de15"
PATH = f"/v1/cases/{CASE}/files/{FILE}"
FOUND = {
    "record_id": "r",
    "media_id": FILE,
    "kind": "pdf",
    "content_type": "application/pdf",
    "size": 12_345,
    "pages": [{"width": 1700, "height": 2200}] * 5,
    "findings": ["annotations", "unscanned"],
    "version": 3,
    "lifted_by": [],
}
DECIDED = {
    "version": 4,
    "outcome": "redact",
    "codes": [],
    "boxes": [{"page": 2, "left": 0.1, "top": 0.2, "right": 0.4, "bottom": 0.25, "code": "victim"}],
    "decided_by": "wanda",
    "decided_at": "2026-12-01T03:19:29.634Z",
}


class OneFileSession:
    """Media with one file of a case."""

    def __init__(self, found: Mapping[str, Any] = FOUND) -> None:
        self.found = dict(found)
        self.asked: list[tuple[str, str, Any]] = []

    async def post(self, service: str, path: str, body: Any, role: str, name: str) -> Any:
        self.asked.append(("POST", path, body))
        assert (service, role, name) == ("media", "custodian", "wanda")
        return self.found

    async def put(self, service: str, path: str, body: Any, role: str, name: str) -> Any:
        self.asked.append(("PUT", path, body))
        return DECIDED

    async def save(
        self, service: str, path: str, body: Any, role: str, name: str, out: Path
    ) -> Mapping[str, str]:
        self.asked.append(("POST", path, body))
        _write(out)
        return {"content-type": "image/jpeg"}


def _write(out: Path) -> None:
    out.write_bytes(b"picture")


@pytest.fixture
def session() -> OneFileSession:
    return OneFileSession()


def called(session: OneFileSession, *words: str) -> Any:
    app = typer.Typer()

    def run(work: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        asyncio.run(work(session))

    case_files.register(app, run, Screen(width=100))
    return CliRunner().invoke(app, [CASE, FILE, "--as", "wanda", *words])


QUESTION = {"purpose": "public_records"}


def test_a_file_is_shown_and_nothing_decided(session: OneFileSession) -> None:
    done = called(session)
    assert done.exit_code == 0, done.output
    assert session.asked == [("POST", f"{PATH}/review", QUESTION)]
    for words in ("pdf, application/pdf, 12,345 bytes", "annotations, unscanned", "not yet"):
        assert words in done.output


@pytest.mark.parametrize(
    ("words", "order"),
    [
        (["--release"], {"outcome": "release"}),
        (
            ["--withhold", "victim", "--withhold", "attorney_work"],
            {"outcome": "withhold", "codes": ["victim", "attorney_work"]},
        ),
        (
            ["--box", "2:0.1,0.2,0.4,0.25=victim"],
            {"outcome": "redact", "boxes": DECIDED["boxes"]},
        ),
    ],
)
def test_a_decision_is_sent_for_the_version_that_was_shown(
    session: OneFileSession, words: list[str], order: dict[str, Any]
) -> None:
    done = called(session, *words)
    assert done.exit_code == 0, done.output
    assert session.asked[1:] == [("PUT", f"{PATH}/decisions", QUESTION | order | {"version": 3})]
    assert "redact by wanda, 2026-12-01T03:19" in done.output
    assert "2:0.1,0.2,0.4,0.25=victim" in done.output


def test_each_page_is_saved_as_a_picture(session: OneFileSession, tmp_path: Path) -> None:
    done = called(session, "--pages", str(tmp_path / "pages"))
    assert done.exit_code == 0, done.output
    names = sorted(each.name for each in (tmp_path / "pages").iterdir())
    assert names == [f"{FILE}-p{number}.jpg" for number in range(1, 6)]


@pytest.mark.parametrize(
    "words",
    [
        ["--release", "--withhold", "victim"],
        ["--box", "0.1,0.2,0.4=victim"],
        ["--box", "1:0.1,0.2,0.4,0.5"],
        ["--box", "1:0..1,0.2,0.4,0.5=victim"],
    ],
)
def test_what_is_no_decision_is_not_sent(session: OneFileSession, words: list[str]) -> None:
    assert called(session, *words).exit_code == 2
    assert session.asked == []


def test_what_stands_in_the_way_is_shown() -> None:
    told = FOUND | {
        "pages": [],
        "unrenderable": "encrypted",
        "preset": "protected_person",
        "lifted_by": ["counsel"],
        "offered": DECIDED,
    }
    done = called(OneFileSession(told))
    for words in ("encrypted", "withheld by protected_person, lifted by counsel", "another case"):
        assert words in done.output
