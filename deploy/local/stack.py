"""One local stack in one folder: three servers, the issuer, a mail server, three witnesses and the
six services.

stack = Stack.create(Path(".stack"))          # the ports of the contract
stack = Stack.create(tmp_path, ports="free")  # another one next to it, for tests
stack.up()
stack.kill9("kafka"); stack.start("kafka"); stack.wait_ready("kafka")
stack.down()
"""

import base64
import http.client
import json
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from deploy.local import database, environment, kafka, process, secret, store
from deploy.local.bootstrap import REPOSITORY
from deploy.local.environment import FIXED_PORTS, WITNESSES, Place
from deploy.local.ports import free_ports
from deploy.local.topology import Topology, department_user

SERVERS = ("kafka", "database", "store", "identity", "mail")
OF_DEVELOPMENT = ("identity", "mail")
"""Parts that are programs in this package: production uses others instead."""
GIVE_WAY = ("media", "geo", "routing", "retention", "audit", *WITNESSES)
NICENESS = 10
"""Processes that work off a backlog give way to those that answer residents: the gateway and the
servers."""
Ports = Literal["fixed", "free"]


class StackError(Exception):
    """A part did not start, or is unknown; the message says which, and shows the end of its log."""


@dataclass(frozen=True, slots=True)
class Part:
    """`usual` and `patience` in seconds: how long it takes to be ready, and when to give up."""

    name: str
    usual: float
    patience: float
    grace: float
    """Seconds between SIGTERM and SIGKILL."""


@dataclass(frozen=True, slots=True)
class PartStatus:
    name: str
    pid: int | None
    port: int
    health: str
    """`ready`, `not ready`, or `stopped`."""


class Stack:
    """A stack in `root`, which contains everything it makes: data, logs, pids, settings, keys.

    Opening one starts nothing. Everything but data survives `reset`; secrets are made once.
    """

    def __init__(self, root: Path) -> None:
        """Raises StackError if no stack was created."""
        if not (root / "stack.json").exists():
            raise StackError(f"there is no stack in {root}")
        self.place = Place.read(root)
        self.topology = Topology.read()
        self._write_down()
        services = [service.name for service in self.topology.services]
        self.services: tuple[str, ...] = tuple(services)
        parts = [
            Part("kafka", usual=4, patience=120, grace=15),
            Part("database", usual=1, patience=60, grace=15),
            Part("store", usual=1, patience=60, grace=10),
            Part("identity", usual=2, patience=60, grace=5),
            Part("mail", usual=1, patience=60, grace=5),
            *(Part(name, usual=1, patience=60, grace=5) for name in WITNESSES),
            *(Part(name, usual=6, patience=120, grace=20) for name in services),
        ]
        self.parts: Mapping[str, Part] = {part.name: part for part in parts}
        self._say: Callable[[str], None] = lambda _: None

    @classmethod
    def create(
        cls,
        root: Path,
        ports: Ports = "fixed",
        *,
        kind: Literal["local", "test"] = "local",
        compression: bool = True,
        containers: bool = False,
    ) -> Self:
        """The stack in `root`, created if there is none.

        `compression=False` keeps database blocks and broker logs as they were sent, so that a
        search of the files for something that must not be there finds everything. `containers` is
        for `deploy.local.containers`. An existing stack keeps what it was created with.
        """
        root = root.resolve()
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        root.chmod(0o700)
        settings = root / "stack.json"
        if not settings.exists():
            numbers = dict(FIXED_PORTS) if ports == "fixed" else free_ports(FIXED_PORTS)
            place = Place(root, numbers, kind, compression, containers)
            secret.write_secret(settings, place.document())
        return cls(root)

    def narrate(self, say: Callable[[str], None]) -> None:
        """Calls `say`, one line at a time, with what it is waiting for and how long that usually
        takes."""
        self._say = say

    @property
    def root(self) -> Path:
        return self.place.root

    @property
    def dev(self) -> dict[str, Any]:
        """What `dev.json` says."""
        document: dict[str, Any] = json.loads((self.root / "dev.json").read_text())
        return document

    # --- the whole --------------------------------------------------------------------------------

    def up(self, *, servers_only: bool = False) -> None:
        """Starts everything that is not running, and waits until all of it is ready.

        Raises StackError with the end of the log of the first part that failed; running parts keep
        running.
        """
        started = time.monotonic()
        # They have time until the services are up; nothing waits for them before that.
        for name in WITNESSES:
            if process.find(self._pid_file(name)) is None:
                self._check_port(name)
                self.prepare(name)
                self.start(name)
        self._together(self._bring_up_server, SERVERS)
        self._together(self._bring_up, WITNESSES if servers_only else (*WITNESSES, *self.services))
        self._say(f"up in {time.monotonic() - started:.1f} s")

    def down(self) -> None:
        """Stops everything, services first; nothing of the stack runs afterwards."""
        self._together(self.stop, self.services)
        self._together(self.stop, (*SERVERS, *WITNESSES))

    def reset(self) -> None:
        """Stops everything and deletes the data; ports, passwords and keys stay."""
        self.down()
        shutil.rmtree(self.place.data)
        shutil.rmtree(self.place.mail, ignore_errors=True)
        self._make_folders()

    def status(self) -> list[PartStatus]:
        return [self._status(name) for name in self.parts]

    def _status(self, name: str) -> PartStatus:
        running = process.find(self._pid_file(name))
        health = "stopped" if running is None else "ready" if self.ready(name) else "not ready"
        return PartStatus(name, running.pid if running else None, self.place.ports[name], health)

    # --- one part ---------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Starts a part that is not running, without waiting for it."""
        self._known(name)
        if process.find(self._pid_file(name)) is not None:
            return
        command, environ = self.command(name)
        niceness = NICENESS if name in GIVE_WAY else 0
        process.spawn(command, environ, self.log_file(name), self._pid_file(name), niceness)

    def stop(self, name: str) -> None:
        """Asks a part to end (SIGTERM), and kills it if it does not end within its grace period."""
        part = self._known(name)
        running = process.find(self._pid_file(name))
        if running is not None:
            running.signal(signal.SIGTERM)
            if not running.gone_within(part.grace):
                self._say(f"{name}: did not stop in {part.grace:.0f} s, killed")
                self.kill9(name)
        self._pid_file(name).unlink(missing_ok=True)

    def kill9(self, name: str) -> None:
        """Kills a part and its children at once, as a crash does, and waits until it is gone."""
        self._known(name)
        running = process.find(self._pid_file(name))
        if running is not None:
            running.signal(signal.SIGKILL)
            if not running.gone_within(10):
                raise StackError(f"{name} (pid {running.pid}) does not die")

    def restart(self, name: str) -> None:
        self.stop(name)
        self.start(name)
        self.wait_ready(name)

    def ready(self, name: str) -> bool:
        """Whether a part is ready to work now."""
        self._known(name)
        port = self.place.ports[name]
        if name == "kafka":
            return kafka.connects(self.place)
        if name == "database":
            return database.answers(self.place.address(name))
        if name == "mail":
            return _greets(port)
        return _answers(port, "/health" if name == "store" else "/health/ready")

    def wait_ready(self, name: str, timeout: float | None = None) -> None:
        """Waits until a part is ready. Raises StackError if it ends, or is not ready in time."""
        part = self._known(name)
        patience = part.patience if timeout is None else timeout
        deadline = time.monotonic() + patience
        while not self.ready(name):
            if process.find(self._pid_file(name)) is None:
                raise StackError(f"{name} has ended\n{self._log_end(name)}")
            if time.monotonic() > deadline:
                raise StackError(f"{name} not ready in {patience:.0f} s\n{self._log_end(name)}")
            time.sleep(0.05)

    def log_file(self, name: str) -> Path:
        self._known(name)
        return self.place.log / f"{name}.log"

    # --- how -------------------------------------------------------------------------------------

    def _together(self, action: Callable[[str], None], names: Iterable[str]) -> None:
        """In parallel; waits for all, then raises the first failure."""
        names = tuple(names)
        with ThreadPoolExecutor(len(names)) as pool:
            futures = [pool.submit(action, name) for name in names]
        for future in futures:
            future.result()

    def _bring_up(self, name: str) -> None:
        if process.find(self._pid_file(name)) is not None and self.ready(name):
            return
        part = self.parts[name]
        self._say(f"{name}: starting (usually {part.usual:.0f} s)")
        started = time.monotonic()
        waiting = threading.Timer(
            3 * part.usual,
            lambda: self._say(f"{name}: still starting, see {self.log_file(name)}"),
        )
        waiting.daemon = True
        waiting.start()
        try:
            self.start(name)
            self.wait_ready(name)
        finally:
            waiting.cancel()
        self._say(f"{name}: ready in {time.monotonic() - started:.1f} s")

    def _bring_up_server(self, name: str) -> None:
        """Prepares and starts a server, and sets up its users, rights, topics and buckets."""
        if process.find(self._pid_file(name)) is None:
            self._check_port(name)
            self.prepare(name)
        self._bring_up(name)
        provision = {
            "kafka": kafka.provision,
            "database": database.provision,
            "store": store.provision,
        }.get(name)
        if provision is not None:
            provision(self.place, self.topology, self.credentials)

    def prepare(self, name: str) -> None:
        """Makes what a server needs before its first start; does nothing for the other parts."""
        if name == "kafka":
            kafka.prepare(self.place, self.credentials)
        elif name == "store":
            store.prepare(self.place, self.topology, self.credentials)
        elif name in WITNESSES:
            self._memory(name).parent.mkdir(mode=0o700, exist_ok=True)
        elif name == "database" and not database.rooted(self.place).exists():
            self._create_database_root()

    def _create_database_root(self) -> None:
        port = free_ports(["database"])["database"]
        address = f"127.0.0.1:{port}"
        command = database.command(self.place, auth=False, port=port)
        open_server = process.spawn(
            command, {}, self.log_file("database"), self._pid_file("database-first")
        )
        try:
            if not database.wait_until_answers(address, self.parts["database"].patience):
                raise StackError(f"database does not start\n{self._log_end('database')}")
            database.create_root(address, self.topology, self.credentials)
        finally:
            open_server.signal(signal.SIGTERM)
            if not open_server.gone_within(15):
                open_server.signal(signal.SIGKILL)
                open_server.gone_within(5)
            self._pid_file("database-first").unlink(missing_ok=True)
        database.rooted(self.place).touch()

    def command(self, name: str) -> tuple[list[str], dict[str, str]]:
        """How to start a part: its command, and its additional environment."""
        if name == "kafka":
            return kafka.command(self.place), {}
        if name == "database":
            return database.command(self.place), {}
        if name == "store":
            return store.command(self.place), store.environment(self.topology, self.credentials)
        if name in WITNESSES:
            return self._witness_command(name), {}
        environ = environment.from_file((self.place.env / f"{name}.env").read_text())
        module = f"deploy.local.{name}" if name in OF_DEVELOPMENT else f"direct311.{name}"
        environ |= {"PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
        return [sys.executable, "-m", module], environ

    def _witness_command(self, name: str) -> list[str]:
        """`--begin`, because deleting a stack's data deletes its log too."""
        options = {
            "key": self.place.keys / f"{name}.json",
            "policy": self.place.policy,
            "memory": self._memory(name),
            "host": self.place.listen,
            "port": self.place.ports[name],
        }
        words = [f"--{option}={value}" for option, value in options.items()]
        return [sys.executable, "-m", "direct311.witness", "serve", "--begin", *words]

    def _memory(self, witness: str) -> Path:
        return self.place.data / witness / "memory.sqlite"

    def _check_port(self, name: str) -> None:
        if _connects(self.place.ports[name]):
            raise StackError(
                f"port {self.place.ports[name]} of {name} is taken by something else; "
                "another clone's stack may run: `make down` there"
            )

    def _write_down(self) -> None:
        """Everything that the parts read, rendered again from the deployment files."""
        self._make_folders()
        place, topology = self.place, self.topology
        self.credentials = secret.Credentials.keep(place.root / "credentials.json", topology)
        secret.keep_keys(place.keys, topology.services, WITNESSES)
        secret.write_private(place.policy, environment.policy(place))
        for service in topology.services:
            values = environment.service_environment(place, topology, self.credentials, service)
            text = environment.as_file(values)
            secret.write_private(place.env / f"{service.name}.env", text)
        identity = environment.identity_environment(place, self.credentials)
        secret.write_private(place.env / "identity.env", environment.as_file(identity))
        mail = environment.mail_environment(place)
        secret.write_private(place.env / "mail.env", environment.as_file(mail))
        approvals = topology.approvals
        clients: dict[str, dict[str, Any]] = {
            service.client: {
                "service": service.name,
                "secret": self.credentials.clients[service.client],
                "audience": service.audience,
                "exchanges": [topology.service(name).audience for name in service.for_people],
                "redirects": [f"{place.public_url(service.name)}/staff/callback"],
            }
            for service in topology.services
        }
        for code in topology.departments:
            client = department_user(code)
            clients[client] = {
                "department": code,
                "secret": self.credentials.clients[client],
                "resources": [topology.service("routing").audience],
            }
        clients[approvals.client] = {"public": True, "redirects": list(approvals.redirects)}
        secret.write_secret(place.keys / "identity-clients.json", clients)
        secret.write_secret(
            place.root / "principals.json",
            secret.public_keys(
                place.keys, topology.services, approvals.client, topology.departments
            ),
        )
        secret.write_secret(
            place.root / "clients.json", secret.api_clients(self.credentials.api_keys)
        )
        log_key = secret.log_keys_in(place.keys)[0]
        public = {"name": log_key.name, "public": base64.b64encode(log_key.public).decode()}
        document = environment.developer_document(place, topology, self.credentials, public)
        secret.write_secret(place.root / "dev.json", document)
        (place.root / "database.toml").touch()

    def _make_folders(self) -> None:
        place = self.place
        for folder in (place.data, place.log, place.pid, place.env, place.keys):
            folder.mkdir(mode=0o700, exist_ok=True)

    def _known(self, name: str) -> Part:
        if name not in self.parts:
            raise StackError(f"no part {name!r}; there are {', '.join(self.parts)}")
        return self.parts[name]

    def _pid_file(self, name: str) -> Path:
        return self.place.pid / f"{name}.json"

    def _log_end(self, name: str) -> str:
        log = self.log_file(name)
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return "\n".join([f"--- {log}", *lines[-20:]])


def _connects(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _greets(port: int) -> bool:
    """Whether a mail server greets (RFC 5321, section 3.1)."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=3) as connection:
            greeting = connection.recv(3)
            connection.sendall(b"QUIT\r\n")
            return greeting == b"220"
    except OSError:
        return False


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def default_root() -> Path:
    """`.stack` in the checkout; DIRECT311_STACK may name another stack's `dev.json`."""
    named = os.environ.get("DIRECT311_STACK")
    return Path(named).parent if named else REPOSITORY / ".stack"
