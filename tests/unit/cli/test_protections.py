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
