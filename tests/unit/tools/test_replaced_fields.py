"""mypy knows the fields that `replaced` takes, and their types."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

MODELS = """
from typing import Generic, Self, TypeVar
from direct311.schemas.model import Instant, Model, replaced

T = TypeVar("T")

class Dog(Model):
    name: str
    legs: int = 4
    born_at: Instant | None = None

    def named(self, name: str) -> Self:
        return replaced(self, name=name)

class Puppy(Dog):
    of: Dog | None = None

class Kennel(Model, Generic[T]):
    holds: T
"""
METHOD = """
class Case({base}):
    def changed(self) -> "Case":
        return replaced(self, {change})
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What mypy says of all cases, in one run, in their order."""
    folder = tmp_path_factory.mktemp("types")
    for index, (base, change, _) in enumerate(CASES):
        text = MODELS + METHOD.format(base=base, change=change)
        (folder / f"case_{index}.py").write_text(text)
    told = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml")),
            *("--cache-dir", str(folder / "cache"), "--no-error-summary"),
            *(str(folder / f"case_{index}.py") for index in range(len(CASES))),
        ],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not told.stderr
    lines = [line for line in told.stdout.splitlines() if ": error: " in line]
    return [
        " ".join(line for line in lines if f"case_{index}.py" in line)
        for index in range(len(CASES))
    ]


CASES = (
    ("Dog", 'name="Rex", legs=3, born_at=None', ""),
    ("Puppy", 'legs=3, of=Dog(name="Rex")', ""),
    ("Kennel[int]", "holds=3", ""),
    ("Dog", "leg=3", 'Unexpected keyword argument "leg"'),
    ("Puppy", "off=None", 'Unexpected keyword argument "off"'),
    ("Dog", 'legs="three"', 'Argument "legs"'),
    ("Dog", 'born_at="yesterday"', 'Argument "born_at"'),
    ("Kennel[int]", 'holds="three"', 'Argument "holds"'),
)


@pytest.mark.parametrize("index", range(len(CASES)), ids=[f"{b}: {c}" for b, c, _ in CASES])
def test_mypy_takes_fields_with_their_types_and_nothing_else(said: list[str], index: int) -> None:
    expected = CASES[index][2]
    assert (expected in said[index]) if expected else not said[index]
