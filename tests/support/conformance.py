"""The conformance page: each statement of the county's policy, its mechanism and its proof.

A test says what it proves: `@pytest.mark.policy("P3", "P12")`. `Evidence` notes how the marked
tests came out, in pytest's cache, so that a part of the suite can run alone. Then

    python -m tests.support.conformance            # writes docs/policy-conformance.md
    python -m tests.support.conformance --check    # exit code 1 if the page differs

A statement without a passing test is open. So is one with a test that failed or was skipped.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "policy-conformance.md"
STATEMENTS = Path(__file__).with_name("policy_statements.yaml")
CACHE_KEY = "policy/tests"
CACHE_FILE = ROOT / ".pytest_cache" / "v" / CACHE_KEY

Outcome = Literal["passed", "failed", "skipped"]
_WORST: Sequence[Outcome] = ("failed", "skipped", "passed")


class Proof(TypedDict):
    """One test (all its parameters together): what it proves, and how it came out."""

    statements: list[str]
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of the policy, in our words. `remains`: what no test can show yet."""

    id: str
    policy: str
    mechanism: str
    remains: str = ""


def statements(path: Path = STATEMENTS) -> tuple[Statement, ...]:
    """All of them, in order."""
    return tuple(Statement(**each) for each in yaml.safe_load(path.read_text()))


# ---------------------------------------------------------------- collecting


class Evidence:
    """A pytest plugin: remembers the outcome of every test that carries a `policy` marker."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._known = {each.id for each in statements()}
        self._collected: dict[str, list[str]] = {}
        self._outcomes: dict[str, Outcome] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            marked = [id_ for mark in item.iter_markers("policy") for id_ in mark.args]
            if unknown := set(marked) - self._known:
                raise pytest.UsageError(f"{item.nodeid}: no such statement: {sorted(unknown)}")
            if marked:
                self._collected[test_of(item.nodeid)] = sorted(set(marked), key=_number)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = test_of(report.nodeid)
        if test not in self._collected or (report.when != "call" and report.passed):
            return
        self._outcomes[test] = _worse(report.outcome, self._outcomes.get(test, "passed"))

    def pytest_sessionfinish(self) -> None:
        cache = self._config.cache
        if self._config.option.collectonly or cache is None:
            return
        before: dict[str, Proof] = cache.get(CACHE_KEY, {})
        # If a whole file was collected, tests that no longer exist are removed; others stay as they
        # were.
        whole = not any("::" in argument for argument in self._config.args)
        options = self._config.option
        picked = bool(options.keyword or options.markexpr or options.part)
        files = (
            {test.partition("::")[0] for test in self._collected} if whole and not picked else ()
        )
        proofs = {
            test: proof
            for test, proof in before.items()
            if test in self._collected
            or (file_of(test) not in files and (ROOT / file_of(test)).exists())
        }
        for test, outcome in self._outcomes.items():
            proofs[test] = Proof(statements=self._collected[test], outcome=outcome)
        cache.set(CACHE_KEY, dict(sorted(proofs.items())))


def test_of(nodeid: str) -> str:
    """A test's id without its parameters."""
    return nodeid.partition("[")[0]


test_of.__test__ = False  # type: ignore[attr-defined]


def file_of(test: str) -> str:
    """The file of a test, below the root."""
    return test.partition("::")[0]


def _worse(one: Outcome, other: Outcome) -> Outcome:
    return min(one, other, key=_WORST.index)


def _number(statement_id: str) -> int:
    return int(statement_id.removeprefix("P"))


# ---------------------------------------------------------------- rendering


def render(all_statements: Iterable[Statement], proofs: Mapping[str, Proof]) -> str:
    """The page."""
    found = list(all_statements)
    of = {
        each.id: {t: p["outcome"] for t, p in proofs.items() if each.id in p["statements"]}
        for each in found
    }
    lines = [
        "# What the county promises, and what proves it",
        "",
        "Made by `python -m tests.support.conformance` from the markers on the tests and from how "
        "they last came out; change the tests or `tests/support/policy_statements.yaml`, not this "
        "page. The statements are those of the county's published 311Direct privacy and security "
        "policy, in our words. A statement without a passing test is **open**; *in part* says that "
        "something remains, which its section names.",
        "",
        "| | the policy says | proof |",
        "|---|---|---|",
    ]
    said = {each.id: verdict(of[each.id], in_part=bool(each.remains)) for each in found}
    lines += [f"| [{s.id}](#{s.id.lower()}) | {s.policy} | {said[s.id]} |" for s in found]
    for each in found:
        lines += ["", f"## {each.id}", "", f"> {each.policy}", "", each.mechanism]
        if each.remains:
            lines += ["", f"Remains: {each.remains}"]
        lines += ["", f"Proof: {said[each.id]}"]
        if of[each.id]:
            lines += ["", *(f"- {_line(t, outcome)}" for t, outcome in sorted(of[each.id].items()))]
    return "\n".join(lines) + "\n"


def verdict(outcomes: Mapping[str, Outcome], *, in_part: bool = False) -> str:
    """One phrase about a statement's tests. `in_part`: they do not prove everything."""
    passed = sum(outcome == "passed" for outcome in outcomes.values())
    if not outcomes:
        return "**open**: no test yet"
    if passed == len(outcomes):
        return f"{passed} {'test' if passed == 1 else 'tests'}{', in part' if in_part else ''}"
    return f"**open**: {len(outcomes) - passed} of {len(outcomes)} tests did not pass"


def _line(test: str, outcome: Outcome) -> str:
    name = test.rpartition("::")[2]
    words = name.removeprefix("test_").replace("_", " ")
    note = "" if outcome == "passed" else f" (**{outcome}**)"
    return f"{words}{note}: `{file_of(test)}`"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.support.conformance")
    parser.add_argument("--check", action="store_true", help="write nothing; compare")
    check: bool = parser.parse_args(arguments).check
    if not CACHE_FILE.exists():
        sys.stderr.write("no marked test has run yet; run `make test` first\n")
        return 1
    proofs: dict[str, Any] = json.loads(CACHE_FILE.read_text())
    page = render(statements(), proofs)
    if check:
        if page != (PAGE.read_text() if PAGE.exists() else ""):
            sys.stderr.write(f"{PAGE.name} is not what the tests say; run this without --check\n")
            return 1
        return 0
    PAGE.write_text(page)
    sys.stdout.write(f"wrote {PAGE.relative_to(ROOT)}: {len(proofs)} tests\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
