"""The conformance page says what the tests say."""

import ast
import re

from tests.support.conformance import PAGE, ROOT, Proof, Statement, render, statements

ONE = Statement("P1", "It promises.", "It does.")
TWO = Statement("P2", "It promises more.", "It does more.", remains="the rest")


def test_every_statement_of_the_policy_is_there_once() -> None:
    assert [each.id for each in statements()] == [f"P{number}" for number in range(1, 24)]


def test_a_statement_is_open_unless_all_of_its_tests_pass() -> None:
    proofs: dict[str, Proof] = {
        "tests/a.py::test_it_does": {"statements": ["P1", "P2"], "outcome": "passed"},
        "tests/b.py::test_it_does_more": {"statements": ["P2"], "outcome": "failed"},
    }
    page = render([ONE, TWO, Statement("P3", "Hm.", "Hm.")], proofs)
    assert "| [P1](#p1) | It promises. | 1 test |" in page
    assert "| [P2](#p2) | It promises more. | **open**: 1 of 2 tests did not pass |" in page
    proofs["tests/b.py::test_it_does_more"]["outcome"] = "passed"
    assert "| It promises more. | 2 tests, in part |" in render([ONE, TWO], proofs)
    assert "| [P3](#p3) | Hm. | **open**: no test yet |" in page
    assert "- it does: `tests/a.py`" in page
    assert "- it does more (**failed**): `tests/b.py`" in page
    assert "Remains: the rest" in page


def test_every_test_that_the_page_names_carries_its_marker() -> None:
    named = re.findall(r"^- (.+?)(?: \(\*\*\w+\*\*\))?: `(tests/[^`]+)`$", PAGE.read_text(), re.M)
    assert named
    for words, file in named:
        tree = ast.parse((ROOT / file).read_text())
        marked = "policy" in ast.dump(tree)
        tests = {
            node.name.removeprefix("test_").replace("_", " ")
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert marked, file
        assert words in tests, f"{file}: {words}"
