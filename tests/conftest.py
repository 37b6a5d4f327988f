"""What all tests share: one stack of servers and services, started when the first test asks."""

import gc
import os
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from deploy.local import ports
from deploy.local.stack import Stack
from direct311.runtime import datafile
from tests.support import conformance
from tests.support.county import County, entering
from tests.support.logs import complaints
from tests.support.parts import PARTS, PORTS, OnePart, in_order, kind_of, takes_shared_stack
from tests.support.stacks import RUNNING, stack_of_its_own

SHARED = pytest.StashKey[dict[str, Stack]]()
"""The stacks of the session that run, by fixture."""
LAST = pytest.StashKey[dict[str, pytest.Item]]()
"""The last test that may take each of them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stack",
        type=Path,
        metavar="DIR",
        help="the shared stack: this running one, which is left as it is, in place of a new one",
    )
    parser.addoption("--part", choices=PARTS, help="one part of the suite; `tests.run` runs all")


def pytest_configure(config: pytest.Config) -> None:
    # How long an example takes says more of the machine than of what is tested.
    settings.register_profile(
        "untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("untimed")
    # The hundreds of processes that stacks and tests start compile each module once and not each
    # for itself, which would be half of the time that a service takes to start.
    os.environ["PYTHONDONTWRITEBYTECODE"] = ""
    sys.dont_write_bytecode = False
    # Each test makes its service anew, and would read the same law from YAML again: half of the
    # time of some. The same bytes have the same tree; models and checks are still made of it anew.
    datafile.parsed = cache(datafile.parsed)
    config.pluginmanager.register(conformance.Evidence(config), "policy-evidence")
    if part := config.getoption("part"):
        config.pluginmanager.register(OnePart(part, config), "one-part")
        ports.OWN_PORTS = PORTS[part]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = in_order(items)


def pytest_collection_finish(session: pytest.Session) -> None:
    # Thousands of tests are there until the end: without this the collector goes through all of
    # them again and again, for two fifths of the units' time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 5)
    last = session.config.stash.setdefault(LAST, {})
    for item in session.items:
        last |= dict.fromkeys(_may_take(item), item)


def _may_take(item: pytest.Item) -> Iterator[str]:
    """Which stacks of the session."""
    if takes_shared_stack(item):
        yield "stack"
    # A contract asks for the servers when its case is the real one.
    if "servers" in getattr(item, "fixturenames", ()) or kind_of(item) == "contract":
        yield "servers"
    if "disposable" in getattr(item, "fixturenames", ()):
        yield "disposable"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """A shared stack stops with the last test that shares it: idle it still takes a third of a
    processor from those that follow."""
    yield
    last = item.config.stash.get(LAST, {})
    for name, stack in item.config.stash.get(SHARED, {}).items():
        if item is last.get(name):
            stack.down()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test of a stack shows what its processes complained of."""
    report = yield
    if report.failed:
        for stack in RUNNING:
            report.sections += [
                (f"{stack.root.name} {name}.log", lines) for name, lines in complaints(stack)
            ]
    return report


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Kafka, database, object store and issuer, without the services. Shared: use ids of your own,
    and say nothing in a service's name that another test would take for its own."""
    with stack_of_its_own(tmp_path_factory.mktemp("servers") / "s", services=False) as stack:
        request.config.stash.setdefault(SHARED, {})["servers"] = stack
        yield stack


@pytest.fixture(scope="session")
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """The whole stack, shared by all tests that do no harm to it."""
    if running := request.config.getoption("stack"):
        yield Stack(running)
        return
    with stack_of_its_own(tmp_path_factory.mktemp("stack") / "s") as stack:
        request.config.stash.setdefault(SHARED, {})["stack"] = stack
        yield stack


@pytest.fixture(scope="session")
def disposable(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A second whole stack, for tests that do harm which passes: parts that are stopped or killed
    and come back, administrators who do all that they may. What was stored before stays."""
    with stack_of_its_own(tmp_path_factory.mktemp("disposable") / "s") as stack:
        request.config.stash.setdefault(SHARED, {})["disposable"] = stack
        yield stack


@pytest.fixture
async def county(stack: Stack) -> AsyncIterator[County]:
    """The shared stack as its users see it."""
    async with entering(stack) as county:
        yield county
