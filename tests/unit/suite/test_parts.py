"""What each part of the suite takes, and what it leaves as it was."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.support.parts import PARTS, TESTS, OnePart, Part, in_order, part_of


class Kept:
    """pytest's cache, in memory but for its folder."""

    def __init__(self, folder: Path, failed: dict[str, bool]) -> None:
        self.folder = folder
        self.values: dict[str, Any] = {"cache/lastfailed": failed}

    def mkdir(self, name: str) -> Path:
        (self.folder / name).mkdir(exist_ok=True)
        return self.folder / name

    def get(self, key: str, default: object) -> Any:
        return self.values.get(key, default)

    def set(self, key: str, value: object) -> None:
        self.values[key] = value


class Test(pytest.Item):
    """One of a file, with markers and fixtures or without."""

    __test__ = False
    fixturenames: Sequence[str]

    def runtest(self) -> None:
        raise NotImplementedError


def made(
    request: pytest.FixtureRequest,
    file: str,
    name: str,
    *markers: str,
    fixtures: Sequence[str] = (),
) -> pytest.Item:
    item = Test.from_parent(request.session, name=name, path=TESTS / file, nodeid=f"{file}::{name}")
    item.fixturenames = fixtures
    for marker in markers:
        item.add_marker(marker)
    return cast(pytest.Item, item)


@pytest.mark.parametrize(
    ("file", "markers", "fixtures", "part"),
    [
        ("unit/geo/test_api.py", (), (), "units"),
        ("tampering/test_campaign.py", (), (), "units"),
        ("redaction/test_labelled.py", (), (), "units"),
        ("redaction/test_rows_through_the_gateway.py", ("e2e", "campaign"), (), "servers"),
        ("hostile/test_tokens.py", (), (), "units"),
        ("hostile/test_tokens.py", ("e2e",), ("county", "stack"), "county"),
        ("hostile/test_tokens.py", ("e2e",), (), "county"),
        ("contract/test_watch.py", ("wire",), (), "servers"),
        ("wire/test_media.py", ("wire",), (), "servers"),
        ("wire/clients/test_validator.py", ("wire",), ("stack",), "county"),
        ("e2e/test_case_review.py", ("e2e",), ("stack",), "county"),
        ("e2e/test_case_review.py", ("e2e",), ("disposable",), "servers"),
        ("protection/test_use.py", ("e2e",), (), "county"),
        ("protection/test_matrix.py", ("e2e",), ("disposable",), "servers"),
        ("faults/test_campaign.py", ("faults",), (), "servers"),
        ("a_new_folder/test_it.py", (), (), "servers"),
        ("a_new_folder/test_it.py", (), ("stack",), "county"),
    ],
)
def test_a_test_belongs_to_one_part(
    request: pytest.FixtureRequest,
    file: str,
    markers: tuple[str, ...],
    fixtures: tuple[str, ...],
    part: Part,
) -> None:
    assert part_of(made(request, file, "test_it", *markers, fixtures=fixtures)) == part


def test_who_shares_a_stack_follows_the_others_who_do(request: pytest.FixtureRequest) -> None:
    """A stack that waits for its next test takes processor time from all others."""
    files: dict[str, Sequence[str]] = {
        "e2e/test_pages.py": ("spare",),
        "e2e/test_replay.py": ("stack",),
        "e2e/test_two_fixtures.py": ("disposable",),
        "faults/test_campaign.py": (),
        "faults/test_full.py": ("disposable",),
        "privacy/test_canaries.py": ("kept",),
        "protection/test_use.py": ("stack",),
        "wire/test_clients.py": ("stack",),
        "wire/test_geo.py": ("geo",),
    }
    items = [made(request, file, "test_it", fixtures=files[file]) for file in files]
    assert [item.path.relative_to(TESTS).as_posix() for item in in_order(items)] == [
        "wire/test_geo.py",
        "e2e/test_pages.py",
        "e2e/test_two_fixtures.py",
        "faults/test_full.py",
        "wire/test_clients.py",
        "e2e/test_replay.py",
        "protection/test_use.py",
        "privacy/test_canaries.py",
        "faults/test_campaign.py",
    ]


def collected(plugin: OnePart, items: list[pytest.Item]) -> list[pytest.Item]:
    report = pytest.CollectReport("file", "passed", None, list(items))
    hook = plugin.pytest_make_collect_report()
    next(hook)
    with pytest.raises(StopIteration):
        hook.send(report)
    return cast(list[pytest.Item], report.result)


def test_the_parts_together_are_the_suite(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    items = [
        made(request, "unit/geo/test_api.py", "test_it"),
        made(request, "hostile/test_tokens.py", "test_it"),
        made(request, "hostile/test_tokens.py", "test_it_live", "e2e"),
    ]
    config = cast(pytest.Config, SimpleNamespace(cache=Kept(tmp_path, {})))
    taken = [item for part in PARTS for item in collected(OnePart(part, config), items)]
    assert sorted(taken, key=id) == sorted(items, key=id)


def test_a_part_names_its_longest_files() -> None:
    plugin = OnePart("units", cast(pytest.Config, SimpleNamespace()))
    for nodeid, when, duration in (
        ("unit/a.py::test_a", "setup", 60.0),
        ("unit/a.py::test_a", "call", 1.0),
        *((f"unit/{number}.py::test_it", "call", float(number)) for number in range(9)),
    ):
        report = SimpleNamespace(nodeid=nodeid, when=when, duration=duration)
        plugin.pytest_runtest_logreport(cast(pytest.TestReport, report))
    said: list[str] = []
    reporter = SimpleNamespace(section=said.append, write_line=said.append)
    plugin.pytest_terminal_summary(cast(pytest.TerminalReporter, reporter))
    assert said[:3] == ["units: longest files", "    61 s  unit/a.py", "     8 s  unit/8.py"]
    assert len(said) == 6


def test_a_part_leaves_what_the_others_wrote_of_failures(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """pytest writes down what it read at its start. Another part may have ended since."""
    mine, other, late = "unit/a.py::test_a", "wire/b.py::test_b", "wire/c.py::test_c"
    cache = Kept(tmp_path, {late: True})
    plugin = OnePart("units", cast(pytest.Config, SimpleNamespace(cache=cache)))
    collected(plugin, [made(request, "unit/a.py", "test_a")])
    hook = plugin.pytest_sessionfinish()
    next(hook)
    cache.set("cache/lastfailed", {mine: True, other: True})
    with pytest.raises(StopIteration):
        hook.send(None)
    assert cache.values["cache/lastfailed"] == {mine: True, late: True}
