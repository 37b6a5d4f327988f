"""The stack's settings, keys and empty data for `deploy/compose.yaml`.

python -m deploy.local.containers prepare DIR     on the machine, once
python -m deploy.local.containers provision DIR   in a container, at every start
"""

import os
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

from deploy.local import bootstrap, database, environment, kafka, secret, store
from deploy.local.environment import WITNESSES, Place
from deploy.local.stack import Stack, StackError
from deploy.local.topology import Topology

CONTAINER_USER = 10311
PATIENCE = 120.0
"""How many seconds `provision` waits for each server."""


def prepare(root: Path) -> None:
    """Makes the folder that the containers mount, and `compose.env` for the engine.

    Broker and database get their first accounts here, from the programs that set-up built: in a
    container there would be a moment without authentication.
    """
    stack = Stack.create(root, containers=True)
    for name in ("kafka", "database", "store", *WITNESSES):
        stack.prepare(name)
    store_settings = store.environment(stack.topology, stack.credentials)
    secret.write_private(stack.place.env / "store.env", environment.as_file(store_settings))
    owner = (os.getuid(), os.getgid())
    if owner[0] == 0:
        owner = (CONTAINER_USER, CONTAINER_USER)
        for path in (stack.root, *stack.root.rglob("*")):
            os.chown(path, *owner)
    values = {
        "DIRECT311_ROOT": str(stack.root),
        "DIRECT311_SOURCE": str(bootstrap.REPOSITORY),
        "DIRECT311_CACHE": str(bootstrap.cache()),
        "DIRECT311_USER": f"{owner[0]}:{owner[1]}",
    }
    (stack.root / "compose.env").write_text(environment.as_file(values))


def provision(root: Path) -> None:
    """Users, rights, topics and buckets, once the servers answer.

    Raises StackError when one of them does not.
    """
    place, topology = Place.read(root), Topology.read()
    credentials = secret.Credentials.keep(root / "credentials.json", topology)
    _wait("database", lambda: database.answers(place.address("database")))
    database.provision(place, topology, credentials)
    _wait("store", lambda: _healthy("store", place.ports["store"]))
    store.provision(place, topology, credentials)
    _wait("kafka", lambda: kafka.connects(place))
    kafka.provision(place, topology, credentials)


def _healthy(host: str, port: int) -> bool:
    connection = HTTPConnection(host, port, timeout=3)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _wait(name: str, ready: Callable[[], bool]) -> None:
    print(f"provision: waiting for {name} (usually 5 s)", flush=True)
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > deadline:
            raise StackError(f"{name} does not answer")
        time.sleep(0.5)


def main(arguments: list[str]) -> int:
    match arguments:
        case ["prepare", folder]:
            prepare(Path(folder))
        case ["provision", folder]:
            provision(Path(folder))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
