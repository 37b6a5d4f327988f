"""What the page for app developers shows is what happens."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.local.stack import Stack
from tests.support.pages import blocks
from tests.support.submissions import photo

pytestmark = pytest.mark.e2e

PAGE = "app-developers.md"
END = "--- end of a block ---"


@pytest.fixture
def environ(stack: Stack, tmp_path: Path) -> dict[str, str]:
    """What the page tells its reader to set, and a photo."""
    (tmp_path / "photo.jpg").write_bytes(photo("x", (25, 40, 1), (80, 20, 1)))
    known = stack.dev
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {
        **os.environ,
        "PATH": path,
        "API": known["services"]["intake"],
        "KEY": known["api_keys"]["app"],
    }


def test_each_command_of_the_page_answers_as_the_page_shows(
    environ: dict[str, str], tmp_path: Path
) -> None:
    shown = [each for each in blocks(PAGE) if each.language == "sh"]
    script = "set -eu\n" + "".join(f"{each.code}\necho\necho '{END}'\n" for each in shown)
    done = subprocess.run(
        ["bash", "-c", script], env=environ, cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    answers = done.stdout.decode().split(END)
    for each, answer in zip(shown, answers, strict=False):
        if each.answer is not None:
            assert _alike(json.loads(answer), json.loads(each.answer)), (each.code, answer)


def test_the_python_of_the_page_submits(environ: dict[str, str], tmp_path: Path) -> None:
    (code,) = [each.code for each in blocks(PAGE) if each.language == "python"]
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, cwd=tmp_path, capture_output=True, check=False
    )
    assert len(done.stdout.decode().strip()) == 36, done.stderr.decode()


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node on this machine")
def test_the_javascript_of_the_page_submits(environ: dict[str, str], tmp_path: Path) -> None:
    (code,) = [each.code for each in blocks(PAGE) if each.language == "javascript"]
    (tmp_path / "submit.mjs").write_text(code)
    done = subprocess.run(
        ["node", "submit.mjs"], env=environ, cwd=tmp_path, capture_output=True, check=False
    )
    assert len(done.stdout.decode().strip()) == 36, done.stderr.decode()


def _alike(one: Any, other: Any) -> bool:
    """Whether two answers have the same names and kinds; the values are others each time."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_alike(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        # What is there already when it is asked for is a matter of time.
        return not one or not other or _alike(one[0], other[0])
    nothing = one is None or other is None
    return nothing or isinstance(one, (dict, list)) is isinstance(other, (dict, list))
