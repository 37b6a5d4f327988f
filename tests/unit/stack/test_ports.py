"""Stacks that are made at the same time get different ports."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.local import ports

FEW = range(20_000, 20_200)


@pytest.fixture(autouse=True)
def claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(ports, "_claims", lambda: tmp_path)
    monkeypatch.setattr(ports, "OWN_PORTS", FEW)
    return tmp_path


def test_two_stacks_at_the_same_time_share_no_port() -> None:
    names = [str(number) for number in range(9)]
    with ThreadPoolExecutor(10) as pool:
        stacks = list(pool.map(ports.free_ports, [names] * 10))
    taken = [port for stack in stacks for port in stack.values()]
    assert len({*taken}) == len(taken) == 90


def test_a_port_on_which_somebody_listens_is_not_taken() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        port = int(busy.getsockname()[1])
        assert not ports._nobody_listens(port)
    assert ports._nobody_listens(port)


def test_a_claim_ends(claims: Path) -> None:
    assert ports._claim(20_001)
    assert not ports._claim(20_001)
    (claims / "20001").write_text(str(time.time() - ports.CLAIMED_SECONDS - 1))
    assert ports._claim(20_001)
    assert not ports._claim(20_001)


def test_without_a_free_port_it_says_so() -> None:
    for port in FEW:
        ports._claim(port)
    with pytest.raises(ports.NoPortError, match="no port is free from 20000 to 20199"):
        ports.free_ports(["database"])
