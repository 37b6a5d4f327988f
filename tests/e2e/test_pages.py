"""The commands of the documentation do what their pages show, typed in order as a reader would."""

import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from deploy.local.stack import Stack
from tests.support.page_commands import Block, Command, NotRun, blocks, commands, pages, rules
from tests.support.page_output import difference
from tests.support.page_shell import PageShell, Printed
from tests.support.stacks import stack_of_its_own

pytestmark = pytest.mark.e2e

PATIENCE = 60.0
"""Seconds for what a page shows as already done."""
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 2.0
"""Seconds before a command is asked again. Each time starts a program, and takes from the stack the
processor time that it needs to get there."""

_LOOKS = re.compile(
    r"(?!.* -(?:d|F|X|T|-data\S*|-request) )curl "
    r"|curl .*/v1/bundles "
    r"|direct311(?:-verifier| verify) (?:bundle|log|receipt)"
    r"|direct311 (?:status|(?:keys|client|protection|deadletters) (?:status|list|show))"
    r"|direct311 audit (?:who-saw|entries|count|breach|export|bundle|mirror) "
    r"|direct311 retention (?:expire(?!.*--really)|review|certificate)",
    re.DOTALL,
)
"""A command that changes nothing, so it may be asked again until what it shows has happened."""


@pytest.fixture(scope="module")
def spare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack of its own: some pages stop parts, change keys or delete data."""
    with stack_of_its_own(tmp_path_factory.mktemp("pages") / "s") as stack:
        yield stack


@pytest.mark.parametrize("page", pages())
def test_a_page_shows_what_its_commands_print(page: str, spare: Stack, tmp_path: Path) -> None:
    assert _complaints(page, spare, tmp_path) == []


@pytest.mark.parametrize("named", rules().not_run, ids=str)
def test_what_no_test_runs_is_told(named: NotRun) -> None:
    """One line for each, with its reason, at the end of the run."""
    pytest.skip(f"{named} is not run: {named.reason}")


def _complaints(page: str, stack: Stack, folder: Path) -> list[str]:
    found: list[str] = []
    with PageShell(stack, folder) as shell:
        for command in rules().before.get(page, ()):
            assert shell.run(command).code == 0, command
        for block in blocks(page):
            if block.language == "console":
                found += _of_block(page, block, shell)
    return found


def _of_block(page: str, block: Block, shell: PageShell) -> list[str]:
    found: list[str] = []
    looks: list[Command] = []
    for command in commands(block):
        if rules().exception(page, command.text):
            continue
        looks = [*looks, command] if _LOOKS.match(command.text) else []
        if wrong := _wrong(page, command, looks, shell):
            found.append(f"{page}:{command.line}: {command.text}\n  {wrong}")
    return found


def _wrong(page: str, command: Command, looks: Sequence[Command], shell: PageShell) -> str | None:
    """What is not as the page shows. Commands that only look are asked again for a while, with
    those before it that only look."""
    deadline = time.monotonic() + PATIENCE
    printed = _typed(page, command, shell)
    pause = FIRST_PAUSE
    while (wrong := _compared(page, command, printed)) and looks and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(1.5 * pause, LONGEST_PAUSE)
        for each in looks:
            printed = _typed(page, each, shell)
    return wrong


def _typed(page: str, command: Command, shell: PageShell) -> Printed:
    words = rules().typed.get(page, {})
    typed = next((words[each] for each in words if command.text.startswith(each)), ())
    return shell.run(command.text, typed)


def _compared(page: str, command: Command, printed: Printed) -> str | None:
    if not command.shown:
        return f"exit code {printed.code}: {printed.text[-500:]}" if printed.code else None
    return difference(command.shown, printed.text, rules().varies.get(page, ()))
