"""Free ports for a stack, which no other new stack on this machine takes meanwhile."""

import fcntl
import getpass
import random
import socket
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

OWN_PORTS = range(20_000, 32_000)
"""Below the ports that systems use for outgoing connections: such a port could be taken between
finding and using it."""
CLAIMED_SECONDS = 600
"""How long a port is one stack's although nothing listens there yet. Its last service starts long
before."""

_random = random.SystemRandom()


class NoPortError(RuntimeError):
    """Every port that was tried is in use or claimed."""


def free_ports(names: Iterable[str]) -> dict[str, int]:
    """A free port for each name, claimed for `CLAIMED_SECONDS`; no two are the same.

    :raises NoPortError: there are not enough.
    """
    return {name: _claimed() for name in names}


def _claimed() -> int:
    for port in _random.sample(OWN_PORTS, 200):
        if _nobody_listens(port) and _claim(port):
            return port
    raise NoPortError(f"no port is free from {OWN_PORTS[0]} to {OWN_PORTS[-1]}")


def _nobody_listens(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _claim(port: int) -> bool:
    """Whether the port is ours now. Its file says when it was claimed."""
    with (_claims() / str(port)).open("a+") as file:
        # Nobody else reads or writes it meanwhile.
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        claimed = file.read()
        if claimed and time.time() - float(claimed) < CLAIMED_SECONDS:
            return False
        file.truncate(0)
        file.write(str(time.time()))
    return True


def _claims() -> Path:
    folder = Path(tempfile.gettempdir()) / f"direct311-ports-{getpass.getuser()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
