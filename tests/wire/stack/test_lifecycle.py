"""A whole set of servers, started, killed, reset, beside another one."""

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from deploy.local import process
from deploy.local.stack import SERVERS, Stack, StackError

pytestmark = pytest.mark.wire


def _client(stack: Stack) -> "MongoClient[dict[str, Any]]":
    return MongoClient(stack.dev["database"]["url"])


def test_servers_live_die_and_come_back(tmp_path: Path) -> None:
    stack = Stack.create(tmp_path / "s", ports="free", kind="test", compression=False)
    said: list[str] = []
    stack.narrate(said.append)
    try:
        stack.up(servers_only=True)
        before = {part.name: part.pid for part in stack.status()}
        assert all(before[name] for name in SERVERS)
        assert all(f"{name}: ready in" in "\n".join(said) for name in SERVERS)

        stack.up(servers_only=True)
        assert {part.name: part.pid for part in stack.status()} == before

        with _client(stack) as client:
            client.geo.probe.insert_one({"_id": "kept"})
        for name in SERVERS:
            stack.kill9(name)
            assert not stack.ready(name)
            stack.start(name)
        for name in SERVERS:
            stack.wait_ready(name)
        after = {part.name: part.pid for part in stack.status()}
        assert all(after[name] not in (None, before[name]) for name in SERVERS)
        with _client(stack) as client:
            assert client.geo.probe.find_one() == {"_id": "kept"}

        password = stack.credentials.database["geo"]
        stack.reset()
        assert {part.health for part in stack.status()} == {"stopped"}
        assert not list(stack.place.data.iterdir())
        stack.up(servers_only=True)
        assert stack.credentials.database["geo"] == password
        with _client(stack) as client:
            assert client.geo.probe.find_one() is None
    finally:
        stack.down()
    assert {part.pid for part in stack.status()} == {None}


def test_a_part_that_ends_at_once_is_reported_with_its_log(tmp_path: Path) -> None:
    stack = Stack.create(tmp_path / "s", ports="free", kind="test")
    env = stack.place.env / "identity.env"
    env.write_text(env.read_text().replace("ENVIRONMENT=test", "ENVIRONMENT=production"))
    stack.start("identity")
    with pytest.raises(StackError, match="identity has ended") as caught:
        stack.wait_ready("identity")
    assert "starts only where" in str(caught.value)


def test_a_port_that_somebody_else_uses_is_named(tmp_path: Path) -> None:
    first = Stack.create(tmp_path / "one", ports="free", kind="test")
    try:
        first.start("identity")
        first.wait_ready("identity")
        second = Stack.create(tmp_path / "two", ports="free", kind="test")
        second.place.ports["identity"] = first.place.ports["identity"]  # type: ignore[index]
        with pytest.raises(StackError, match=r"port .* of identity is taken"):
            second.up(servers_only=True)
    finally:
        first.down()
        second.down()


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    stack = Stack.create(tmp_path / "s", ports="free", kind="test")
    stack.parts = {**stack.parts, "identity": replace(stack.parts["identity"], grace=0.5)}
    stack.start("identity")
    stack.wait_ready("identity")
    running = process.find(stack.place.pid / "identity.json")
    assert running is not None
    running.signal(signal.SIGSTOP)
    stack.stop("identity")
    assert not running.alive()
