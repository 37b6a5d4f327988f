"""The database: secantusd-rs, MongoDB's wire protocol on one node, every commit synced to disk."""

import time
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import ConnectionFailure

from deploy.local.bootstrap import database_program
from deploy.local.environment import Place
from deploy.local.secret import Credentials
from deploy.local.topology import Topology


def command(place: Place, *, auth: bool = True, port: int = 0) -> list[str]:
    """`port` 0 means the stack's own."""
    # Our own configuration file, so that none elsewhere is ever found.
    words = [str(database_program()), "--config", str(place.root / "database.toml")]
    words += ["--host", "127.0.0.1", "--port", str(port or place.ports["database"])]
    words += ["--storage-path", str(place.data / "database")]
    # Without the first setting, a kill -9 loses acknowledged writes. With a small cache, a tenth of
    # the work is rewriting the same pages once there are some tens of thousands of requests.
    words += ["--sync-on-commit", "--cache-size", "2G", "--log-level", "WARNING"]
    if not place.compression:
        words += ["--block-compressor", "none"]
    if auth:
        words += ["--auth"]
    return words


def rooted(place: Place) -> Path:
    """Exists once the administrator's account exists."""
    return place.data / "database.rooted"


def create_root(address: str, topology: Topology, credentials: Credentials) -> None:
    """Makes the first account, on a server without authentication yet (on a port that nobody
    knows)."""
    user = topology.admin["database"]
    with _client(f"mongodb://{address}/?directConnection=true") as client:
        client.admin.command("createUser", user, pwd=credentials.database[user], roles=["root"])


def provision(place: Place, topology: Topology, credentials: Credentials) -> None:
    """Makes one account per service, which may read and write only its own database."""
    root = topology.admin["database"]
    url = place.database_url(root, credentials.database[root], "admin")
    with _client(url) as client:
        for service in topology.services:
            database = client[service.database]
            if not database.command("usersInfo", service.database)["users"]:
                database.command(
                    "createUser",
                    service.database,
                    pwd=credentials.database[service.database],
                    roles=[{"role": "readWrite", "db": service.database}],
                )


def answers(address: str) -> bool:
    """Whether a server answers at `host:port` (this needs no account)."""
    url = f"mongodb://{address}/?directConnection=true"
    try:
        with _client(url, milliseconds=300) as client:
            client.admin.command("hello")
    except ConnectionFailure:
        return False
    return True


def wait_until_answers(address: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not answers(address):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _client(url: str, milliseconds: int = 5000) -> "MongoClient[dict[str, object]]":
    return MongoClient(url, serverSelectionTimeoutMS=milliseconds)
