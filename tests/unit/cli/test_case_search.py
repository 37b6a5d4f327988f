"""`direct311 case search`: what it sends, what it shows, and what the case's search log gets."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from direct311.cli import case_search
from direct311.cli.screen import Screen
from direct311.runtime.peers import HttpError

CASE, RECORD, ENTRY = "case-1", "01a22f71-2b7e-7c55-8a31-0d5be2f7c9aa", "entry-1"


class SearchStack:
    services = {"intake": "http://intake.test", "retention": "http://desk.test"}  # noqa: RUF012


class SearchHttp:
    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []

    async def post_json(self, url: str, body: Any, headers: Any, *, seconds: float) -> Any:
        self.sent.append((url, body))
        return {
            "search_id": ENTRY,
            "record_ids": [RECORD],
            "more": True,
            "hits": 7,
            "without_point": 3,
            "shape": ["words", "place"],
        }


class SearchSession:
    """A gateway that finds one record, and a case desk."""

    def __init__(self) -> None:
        self.stack, self.http = SearchStack(), SearchHttp()
        self.logged: list[tuple[str, str, Any]] = []
        self.refused: int | None = None

    async def headers(self, service: str, role: str, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {role}:{name}:{service}"}

    async def post(self, service: str, path: str, body: Any, role: str, name: str) -> Any:
        self.logged.append((service, path, body))
        if self.refused:
            raise HttpError(self.refused)


def call(session: SearchSession, *arguments: str, typed: str = "") -> Result:
    app = typer.Typer()

    @app.callback()
    def several() -> None:
        """A group has more than one command."""

    def run(work: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        asyncio.run(work(session))

    screen = Screen(width=100)
    case_search.register(app, run, screen, Screen(width=100, stderr=True))
    return CliRunner().invoke(app, ["search", CASE, *arguments], input=typed)


def test_a_search_asks_for_the_value_and_shows_the_hits() -> None:
    session = SearchSession()
    done = call(
        session,
        *("--by", "words", "--box", "-80.4,25.7,-80.2,25.9", "--type", "TREE"),
        *("--since", "2026-01-01", "--department", "parks"),
        typed="big dog\n",
    )
    assert done.exit_code == 0, done.output
    (sent,) = session.http.sent
    assert sent == (
        f"http://intake.test/v1/cases/{CASE}/searches",
        {
            "words": "big dog",
            "box": [-80.4, 25.7, -80.2, 25.9],
            "types": ["TREE"],
            "received_from": "2026-01-01T00:00:00Z",
            "departments": ["parks"],
        },
    )
    assert RECORD in done.stdout
    assert "7 found, the first 1 are shown; searched by words, place" in done.stdout
    assert "3 without a public point" in done.stdout
    assert ENTRY in done.stdout


def test_the_search_log_gets_the_shape_and_never_the_value() -> None:
    session = SearchSession()
    assert call(session, "--by", "words", typed="Canary\n").exit_code == 0
    (logged,) = session.logged
    assert logged == (
        "retention",
        f"/v1/cases/{CASE}/searches",
        {
            "search_id": ENTRY,
            "where": "intake",
            "shape": ["words", "place"],
            "hits": 7,
            "entry": ENTRY,
        },
    )
    assert "Canary" not in str(logged)


def test_ids_alone_are_printed_one_a_line() -> None:
    done = call(SearchSession(), "--ids", "--municipality", "Hialeah")
    assert done.stdout == f"{RECORD}\n"


@pytest.mark.parametrize(("status", "code"), [(404, 0), (405, 0), (409, 1), (503, 1)])
def test_a_desk_without_a_search_log_is_none_and_another_failure_is_said(
    status: int, code: int
) -> None:
    session = SearchSession()
    session.refused = status
    done = call(session, "--municipality", "Hialeah")
    assert done.exit_code == code
    assert RECORD in done.stdout


def test_a_box_has_four_numbers() -> None:
    done = call(SearchSession(), "--box", "1,2,3")
    assert done.exit_code == 2
