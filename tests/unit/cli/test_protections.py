"""What a custodian is told of an entry."""

import asyncio
import io
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from direct311.cli import protections
from direct311.cli.screen import Screen

WARNING = "Requests with a pin on the home are not recognised."


@pytest.mark.parametrize("warning", [WARNING, None])
def test_what_an_entry_does_not_protect_is_said_beside_the_answer(warning: str | None) -> None:
    answer = {"protection_id": "p-1", "registry_version": 1, "kinds": [], "warning": warning}
    out, beside = io.StringIO(), io.StringIO()

    class Intake:
        async def post(self, *_: object) -> dict[str, object]:
            return answer

    def run(work: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        asyncio.run(work(Intake()))

    def print_json(found: object) -> None:
        out.write(json.dumps(found))

    app = typer.Typer()
    screens = (Screen(file=out), Screen(file=beside, width=200))
    protections.register(app, run, print_json, *screens)
    words = ["add", "--reference", "PR-1", "--citation", "119.071", "--address", "9 Elm Street"]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert json.loads(out.getvalue()) == answer
    assert beside.getvalue().strip() == (warning or "")


class Asked:
    """Intake, as the command asks it."""

    def __init__(self, ends_at: str | None = None) -> None:
        self.calls: list[tuple[object, ...]] = []
        self._ends_at = ends_at

    async def post(self, *asked: object) -> dict[str, object]:
        self.calls.append(asked)
        return {"ending": {"ends_at": self._ends_at}}

    async def delete(self, *asked: object) -> None:
        self.calls.append(asked)


def _ending(intake: Asked, *words: str) -> tuple[int, str]:
    out = io.StringIO()

    def run(work: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        asyncio.run(work(intake))

    app = typer.Typer()
    screens = (Screen(file=out, width=200), Screen(file=io.StringIO()))
    protections.register(app, run, lambda _: None, *screens)
    return CliRunner().invoke(app, ["end", "p-1", *words]).exit_code, out.getvalue()


def test_the_steps_of_an_ending_go_where_they_belong() -> None:
    intake = Asked()
    assert "another person" in _ending(intake, "--reference", "PR-7", "--as", "carla")[1]
    confirmed = Asked("2026-12-07T10:00:00Z")
    words = ("--reference", "PR-7", "--confirm", "--officer", "--as", "otto")
    assert "2026-12-07" in _ending(confirmed, *words)[1]
    assert "in force" in _ending(intake, "--undo", "--as", "carla")[1]
    path, body = "/v1/protections/p-1/ending", {"reference": "PR-7"}
    assert intake.calls == [
        ("intake", path, body, "custodian", "carla"),
        ("intake", path, "custodian", "carla"),
    ]
    assert confirmed.calls == [("intake", f"{path}/confirmation", body, "records_officer", "otto")]


@pytest.mark.parametrize(
    "words", [(), ("--confirm",), ("--undo", "--reference", "PR-7"), ("--undo", "--confirm")]
)
def test_an_ending_that_is_none_asks_nothing(words: tuple[str, ...]) -> None:
    intake = Asked()
    assert _ending(intake, *words)[0] != 0
    assert intake.calls == []


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_an_id_can_be_typed_as_the_list_shows_it(width: int) -> None:
    entry: dict[str, Any] = {
        "protection_id": "01a213de-31f0-7245-a5e0-10ea754957f7",
        "reference": "Expediente núm. 12, carta de la solicitante",
        "citation": "section 119.071(4)(d)2.a., F.S.",
        "kinds": ["phone", "email", "name", "address", "point"],
        "received_on": "2026-11-30",
        "ending": {"ends_at": "2026-12-07T10:00:00Z"},
        "withdrawn_at": None,
    }

    class Intake:
        async def get_query(self, *_: object) -> dict[str, object]:
            return {"protections": [entry], "after": ""}

    def run(work: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
        asyncio.run(work(Intake()))

    out, app = io.StringIO(), typer.Typer()
    screens = (Screen(file=out, width=width), Screen(file=io.StringIO()))
    protections.register(app, run, lambda _: None, *screens)
    assert CliRunner().invoke(app, ["list"]).exit_code == 0
    assert entry["protection_id"] in out.getvalue()
    if width == 80:
        assert "…" not in out.getvalue()
