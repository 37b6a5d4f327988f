"""Every password and key of a local stack: made once, stored in files that only their owner can
read."""

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.local.topology import Service, Topology, department_user
from direct311.verifier.note import Cosigner, Signer, VerifierKey

INDEX_FIELDS = ("phone", "email", "name", "address", "cell", "content", "search")
LOG_NAME = "direct311.miamidade.gov/audit"
KEYS_VALID = timedelta(days=400)
TEST_KEY = "d311_test_"


def write_secret(path: Path, document: object) -> None:
    """Writes JSON that nobody else can read, completely or not at all."""
    write_private(path, json.dumps(document, indent=1))


def write_private(path: Path, text: str) -> None:
    aside = path.with_name(f".{path.name}.new")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    aside.rename(path)


@dataclass(frozen=True)
class Credentials:
    """User → password for each server, client → secret at the issuer, front end → API key."""

    kafka: Mapping[str, str] = field(default_factory=dict)
    database: Mapping[str, str] = field(default_factory=dict)
    store: Mapping[str, str] = field(default_factory=dict)
    clients: Mapping[str, str] = field(default_factory=dict)
    api_keys: Mapping[str, str] = field(default_factory=dict)
    operator: str = field(default_factory=lambda: secrets.token_hex(24))

    @classmethod
    def keep(cls, path: Path, topology: Topology) -> Self:
        """Reads what exists and adds what else the topology needs."""
        known = cls(**json.loads(path.read_text())) if path.exists() else cls()
        admin = topology.admin
        complete = cls(
            kafka=_complete(known.kafka, [*topology.broker_users, "broker", admin["kafka"]]),
            database=_complete(
                known.database, [*(it.database for it in topology.services), admin["database"]]
            ),
            store=_complete(
                known.store, [*(it.name for it in topology.services if it.store), admin["store"]]
            ),
            clients=_complete(
                known.clients,
                [
                    *(service.client for service in topology.services),
                    *map(department_user, topology.departments),
                ],
            ),
            api_keys=_complete_keys(known.api_keys, ["app", "legacy"]),
            operator=known.operator,
        )
        if complete != known or not path.exists():
            write_secret(path, asdict(complete))
        return complete


def _complete(known: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    return {**known, **{name: secrets.token_hex(24) for name in names if name not in known}}


def _complete_keys(known: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """API keys, in the form that the gateway issues for tests."""
    kept = {name: key for name, key in known.items() if key.startswith(TEST_KEY)}
    new = {name: TEST_KEY + secrets.token_urlsafe(32) for name in names if name not in kept}
    return {**kept, **new}


def keep_keys(folder: Path, services: Iterable[Service], witnesses: Iterable[str]) -> None:
    """Makes each key that does not exist yet.

    `<service>-signing.json`, `<service>-kek.json` (services that seal), `intake-index.json`,
    `intake-link.json`, `audit-log.json`, `<witness>.json`, `identity.json`; Ed25519 seeds and AES
    keys of 32 bytes in base64.
    """
    year = datetime.now(UTC).year
    for service in services:
        _keep(folder / f"{service.name}-signing.json", _signing(f"{service.name}-{year}-1"))
        if service.seals:
            kek = {"current": "kek-1", "keys": {"kek-1": _random()}}
            _keep(folder / f"{service.name}-kek.json", kek)
    index = {"version": 1, "keys": {name: _random() for name in INDEX_FIELDS}}
    _keep(folder / "intake-index.json", index)
    _keep(folder / "intake-link.json", _signing(f"intake-link-{year}-1"))
    _keep(folder / "audit-log.json", {"name": LOG_NAME, "private": _random()})
    for witness in witnesses:
        _keep(folder / f"{witness}.json", {"name": f"localhost/{witness}", "private": _random()})
    _keep(folder / "identity.json", _signing("identity-1"))


def public_keys(
    folder: Path, services: Iterable[Service], approvals: str, departments: Iterable[str] = ()
) -> dict[str, Any]:
    """`principals.json`: each service's identity at the identity provider (`services`), which
    service signs events with which key and for how long (`keys`), the keys of residents' links
    (`link_keys`), which sign no events, the client whose ID tokens are approvals (`approvals`), and
    the clients of the departments' own systems (`departments`)."""
    return {
        "services": [
            {
                "service": service.name,
                "client_id": service.client,
                "audience": service.audience,
                "for_people": list(service.for_people),
                "seals": service.seals,
            }
            for service in services
        ],
        "keys": [
            _public_key(folder / f"{service.name}-signing.json", service.name)
            for service in services
        ],
        "link_keys": [_public_key(folder / "intake-link.json", "intake")],
        "approvals": {"client_id": approvals},
        "departments": [
            {"client_id": department_user(code), "department": code} for code in departments
        ],
    }


def _public_key(file: Path, owner: str) -> dict[str, str]:
    made = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    start = made.replace(hour=0, minute=0, second=0, microsecond=0)
    document = json.loads(file.read_text())
    return {
        "keyid": document["keyid"],
        "service": owner,
        "public": public_of(document["private"]),
        "not_before": start.isoformat(),
        "not_after": (start + KEYS_VALID).isoformat(),
    }


def log_keys_in(folder: Path) -> list[VerifierKey]:
    """The audit log's verifier keys: one, or several during a key change."""
    document = json.loads((folder / "audit-log.json").read_text())
    seeds = [each["private"] for each in document.get("keys", [document])]
    return [Signer(document["name"], _private(seed)).key for seed in seeds]


def witness_keys_in(folder: Path, witnesses: Iterable[str]) -> dict[str, VerifierKey]:
    """The witnesses' verifier keys."""
    documents = {name: json.loads((folder / f"{name}.json").read_text()) for name in witnesses}
    return {
        name: Cosigner(each["name"], _private(each["private"])).key
        for name, each in documents.items()
    }


def public_of(seed: str) -> str:
    """The public key of a base64 Ed25519 seed, in base64."""
    return base64.b64encode(_private(seed).public_key().public_bytes_raw()).decode()


def _private(seed: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(seed))


def api_clients(api_keys: Mapping[str, str]) -> list[dict[str, Any]]:
    """`clients.json`: the front ends that the gateway begins with. The legacy one retries without
    an idempotency key. Their quotas exist so that calls are counted, but no test reaches them."""
    return [
        {
            "client_id": name,
            "name": {"app": "311Direct app", "legacy": "Legacy web form"}[name],
            "key_sha256": hashlib.sha256(key.encode()).hexdigest(),
            "prefix": key[:14],
            "quota": {"minute": 1_000_000, "day": 1_000_000_000, "reads": 1_000_000},
            "flags": ["retries_without_key"] if name == "legacy" else [],
            "jurisdictions": ["miamidade"],
        }
        for name, key in api_keys.items()
    ]


def _keep(path: Path, document: dict[str, Any]) -> None:
    if not path.exists():
        write_secret(path, document)


def _signing(keyid: str) -> dict[str, str]:
    return {"keyid": keyid, "private": _random()}


def _random() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
