"""No fake promises more than the real adapter: each one has a contract that runs on both."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.fake_contracts import CONTRACTS, WITHOUT

ROOT = Path(__file__).parents[3]
PREFIXES = ("InMemory", "Fake", "Scripted")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _fakes() -> Iterator[str]:
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.ClassDef) and node.name.startswith(PREFIXES):
                yield node.name


def _uses(path: str, name: str) -> bool:
    """Whether the file uses this name; to define or to import it is not enough."""
    nodes = ast.walk(_tree(ROOT / path))
    return any(isinstance(node, ast.Name) and node.id == name for node in nodes)


def _tests(path: str) -> list[str]:
    nodes = ast.walk(_tree(ROOT / path))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [n.name for n in nodes if isinstance(n, functions) and n.name.startswith("test_")]


def test_every_fake_is_in_one_table_and_every_name_there_is_a_fake() -> None:
    found = list(_fakes())
    assert len(found) == len(set(found)), "two fakes have the same name"
    assert set(found) == CONTRACTS.keys() | WITHOUT.keys()
    assert not CONTRACTS.keys() & WITHOUT.keys()


@pytest.mark.parametrize("fake", CONTRACTS)
def test_the_contract_of_a_fake_runs_on_it_and_on_the_real_adapter(fake: str) -> None:
    contract = CONTRACTS[fake]
    assert _tests(contract.suite)
    assert _uses(contract.on_fake or contract.suite, fake)
    assert _uses(contract.on_real or contract.suite, contract.real)


@pytest.mark.parametrize("reason", WITHOUT.values(), ids=WITHOUT)
def test_a_reason_against_a_contract_names_tests_that_exist(reason: str) -> None:
    assert reason.endswith(".")
    for path in re.findall(r"tests/\S+\.py", reason):
        assert _tests(path)
