"""The settings for each process: its environment file, and `dev.json` for people and tools."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from deploy.local.secret import Credentials, log_keys_in, witness_keys_in
from deploy.local.topology import Service, Topology, department_user

FIXED_PORTS: Mapping[str, int] = {
    "identity": 8310,
    "mail": 8317,
    "intake": 8311,
    "media": 8312,
    "geo": 8313,
    "routing": 8314,
    "retention": 8315,
    "audit": 8316,
    "witness-1": 8321,
    "witness-2": 8322,
    "witness-3": 8323,
    "kafka": 19092,
    "controller": 19093,
    "database": 27311,
    "store": 19311,
}
"""`controller` is Kafka's own second listener; nothing else connects to it."""

WITNESSES = ("witness-1", "witness-2", "witness-3")
"""Independent parties that cosign the audit log; two of the three must."""


@dataclass(frozen=True)
class Place:
    """One stack's place: its folder, its ports, and the kind of environment it reports."""

    root: Path
    ports: Mapping[str, int]
    kind: str = "local"
    compression: bool = True
    """Whether the database and the broker may compress what they store."""
    containers: bool = False
    """Whether each part is in its own container, found by its name, instead of on loopback."""

    @classmethod
    def read(cls, root: Path) -> Self:
        """Reads the place as it was made; a part that did not exist then has its usual port."""
        document = json.loads((root / "stack.json").read_text())
        document["ports"] = {**FIXED_PORTS, **document["ports"]}
        return cls(root=root.resolve(), **document)

    def document(self) -> dict[str, Any]:
        """What `read` reads."""
        document = asdict(self)
        del document["root"]
        return document

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def pid(self) -> Path:
        return self.root / "pid"

    @property
    def env(self) -> Path:
        return self.root / "env"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def mail(self) -> Path:
        """Where the development mail server stores the messages it received."""
        return self.root / "mail"

    @property
    def listen(self) -> str:
        """The interface that a part listens on. A container has its own network."""
        return "0.0.0.0" if self.containers else "127.0.0.1"  # noqa: S104

    def address(self, part: str) -> str:
        """Where the other parts find it."""
        host = part if self.containers else "127.0.0.1"
        return f"{host}:{self.ports[part]}"

    def url(self, part: str) -> str:
        return f"http://{self.address(part)}"

    def public_url(self, part: str) -> str:
        """Where people find it: containers publish it on loopback."""
        return f"http://127.0.0.1:{self.ports[part]}"

    @property
    def policy(self) -> Path:
        """The audit log's key, its witnesses and their quorum."""
        return self.root / "audit.policy"

    def database_url(self, user: str, password: str, database: str) -> str:
        """`database` is where the user exists, and for a service the database it may use."""
        query = urlencode({"directConnection": "true", "authSource": database})
        path = "" if database == "admin" else database
        return f"mongodb://{user}:{password}@{self.address('database')}/{path}?{query}"


def service_environment(
    place: Place, topology: Topology, credentials: Credentials, service: Service
) -> dict[str, str]:
    """All settings of one service, by their names."""
    name = service.name
    values: dict[str, str | Path] = {
        "ENVIRONMENT": place.kind,
        "HOST": place.listen,
        "PORT": str(place.ports[name]),
        "PUBLIC_URL": place.public_url(name),
        "HOSTS": f"127.0.0.1 localhost {name}",
        "KAFKA_BOOTSTRAP": place.address("kafka"),
        "KAFKA_USERNAME": service.kafka,
        "KAFKA_PASSWORD": credentials.kafka[service.kafka],
        "KAFKA_SECURITY": "SASL_PLAINTEXT",
        "DATABASE_URL": place.database_url(
            service.database, credentials.database[service.database], service.database
        ),
        "DATABASE_NAME": service.database,
        "ISSUER_URL": place.url("identity"),
        "CLIENT_ID": service.client,
        "CLIENT_SECRET": credentials.clients[service.client],
        "AUDIENCE": service.audience,
        "SIGNING_KEY_FILE": place.keys / f"{name}-signing.json",
        "PRINCIPALS_FILE": place.root / "principals.json",
        # All calls here come from one address.
        "REFUSALS_OF_AN_ADDRESS": "100000",
    }
    values |= {f"{other.name.upper()}_URL": place.url(other.name) for other in topology.services}
    if not place.containers:
        values["TRACES_FILE"] = place.log / f"{name}.spans.jsonl"
        values["BUSY_FILE"] = place.root / "gateway-busy"
    if service.seals:
        values["KEK_FILE"] = place.keys / f"{name}-kek.json"
    if service.store:
        values |= {
            "STORE_ENDPOINT": place.address("store"),
            "STORE_ACCESS_KEY": name,
            "STORE_SECRET_KEY": credentials.store[name],
            "STORE_SECURE": "false",
        }
    if name == "intake":
        values |= {
            "INDEX_KEYS_FILE": place.keys / "intake-index.json",
            "LINK_KEY_FILE": place.keys / "intake-link.json",
            "CLIENTS_FILE": place.root / "clients.json",
            "READS_PER_MINUTE": "1000000",
            "FAILED_KEYS_PER_MINUTE": "100000",
            "RECORDS_REQUESTS_PER_HOUR": "100000",
        }
        if not place.containers:
            values |= {
                "SMTP_HOST": "127.0.0.1",
                "SMTP_PORT": str(place.ports["mail"]),
                "SMTP_SECURITY": "none",
                "MAIL_FROM": "311@direct311.example",
            }
            if place.kind == "test":
                # What a test stops restarts within seconds.
                values["MAIL_RETRY_AFTER"] = "PT1S"
                # An ended protection expires while a test waits.
                values["UNDONE_WITHIN"] = "PT4S"
    if name == "audit":
        values |= {"LOG_KEY_FILE": place.keys / "audit-log.json", "POLICY_FILE": place.policy}
    return {f"{name.upper()}_{key}": str(value) for key, value in values.items()}


def policy(place: Place) -> str:
    """Who signs the audit log and who witnesses it (c2sp.org/tlog-policy)."""
    log_keys, cosigners = log_keys_in(place.keys), witness_keys_in(place.keys, WITNESSES)
    return "".join(
        [
            *(f"log {key}\n" for key in log_keys),
            *(f"witness {name} {key} {place.url(name)}\n" for name, key in cosigners.items()),
            f"group two-of-three 2 {' '.join(WITNESSES)}\n",
            "quorum two-of-three\n",
        ]
    )


def identity_environment(place: Place, credentials: Credentials) -> dict[str, str]:
    return {
        "DIRECT311_ENVIRONMENT": place.kind,
        "IDENTITY_HOST": place.listen,
        "IDENTITY_PORT": str(place.ports["identity"]),
        "IDENTITY_ISSUER_URL": place.url("identity"),
        "IDENTITY_KEY_FILE": str(place.keys / "identity.json"),
        "IDENTITY_CLIENTS_FILE": str(place.keys / "identity-clients.json"),
        "IDENTITY_OPERATOR_SECRET": credentials.operator,
    }


def mail_environment(place: Place) -> dict[str, str]:
    return {
        "DIRECT311_ENVIRONMENT": place.kind,
        "MAIL_HOST": place.listen,
        "MAIL_PORT": str(place.ports["mail"]),
        "MAIL_FOLDER": str(place.mail),
    }


def developer_document(
    place: Place, topology: Topology, credentials: Credentials, log_key: Mapping[str, str]
) -> dict[str, Any]:
    """`dev.json`: all addresses, and the administrator's credentials.

    `log_key` is the audit log's name and public key; `audiences` are the audiences of tokens for
    each service.
    """
    admin = topology.admin
    departments = {}
    for code in topology.departments:
        user = department_user(code)
        departments[code] = {
            "username": user,
            "password": credentials.kafka[user],
            "group": user,
            "client_id": user,
            "client_secret": credentials.clients[user],
        }
    names = ["identity", *(service.name for service in topology.services)]
    return {
        "environment": place.kind,
        "root": str(place.root),
        "services": {name: place.public_url(name) for name in names},
        "audiences": {service.name: service.audience for service in topology.services},
        "api_keys": dict(credentials.api_keys),
        "issuer": place.url("identity"),
        "approval_client": topology.approvals.client,
        "operator_secret": credentials.operator,
        "kafka": {
            "bootstrap": place.address("kafka"),
            "username": admin["kafka"],
            "password": credentials.kafka[admin["kafka"]],
        },
        "database": {
            "url": place.database_url(
                admin["database"], credentials.database[admin["database"]], "admin"
            )
        },
        "store": {
            "endpoint": place.address("store"),
            "access_key": admin["store"],
            "secret_key": credentials.store[admin["store"]],
        },
        "departments": departments,
        "audit_log": dict(log_key),
        "data_dir": str(place.data),
        "mail_dir": str(place.mail / "box"),
        "log_dir": str(place.log),
        "pid_dir": str(place.pid),
    }


def as_file(values: Mapping[str, str]) -> str:
    """One NAME=value per line, as container engines and pydantic-settings read them."""
    return "".join(f"{name}={value}\n" for name, value in values.items())


def from_file(text: str) -> dict[str, str]:
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return {name: value for name, _, value in (line.partition("=") for line in lines)}
