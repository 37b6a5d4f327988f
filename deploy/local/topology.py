"""The content of the deployment files: topics, principals, buckets, and the rights that follow from
them.

Pure: reads `deploy/topics.yaml`, `principals.yaml` and `buckets.yaml`, and knows no server.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import yaml

DEPLOY = Path(__file__).resolve().parents[1]

Scale = Literal["local", "production"]


class TopologyError(Exception):
    """The deployment files contradict themselves."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service's identities. `for_people`: services that it calls for a person. `store` maps a
    bucket to (bucket actions, object actions)."""

    name: str
    kafka: str
    database: str
    client: str
    audience: str
    for_people: tuple[str, ...]
    seals: bool
    store: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class ApprovalClient:
    """The public client through which people sign in to approve. `redirects`: where it may be sent
    back to, at any port."""

    client: str
    redirects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic, for one scale. Writers and readers are broker users."""

    name: str
    partitions: int
    replication: int
    min_insync: int
    retention: timedelta
    segment: timedelta
    writers: frozenset[str]
    readers: frozenset[str]
    dead_letters: frozenset[str]

    @property
    def configuration(self) -> dict[str, str]:
        """As the broker takes it."""
        return {
            "cleanup.policy": "delete",
            "min.insync.replicas": str(self.min_insync),
            "retention.ms": str(self.retention // timedelta(milliseconds=1)),
            "segment.ms": str(self.segment // timedelta(milliseconds=1)),
        }


@dataclass(frozen=True, slots=True)
class Bucket:
    name: str
    versioned: bool
    object_lock: bool
    anonymous: tuple[str, ...]
    forms: tuple[str, ...]
    """Services that issue upload forms (presigned POST) for it."""
    pages: tuple[str, ...]
    """HTTP methods that browser pages may use, with a URL that was signed for them."""


@dataclass(frozen=True, slots=True, order=True)
class AccessRule:
    """Allows a broker user one operation on one topic or group, or on all with that prefix."""

    user: str
    operation: Literal["read", "write"]
    resource: Literal["topic", "group"]
    name: str
    prefixed: bool = False


@dataclass(frozen=True, slots=True)
class Topology:
    services: tuple[Service, ...]
    approvals: ApprovalClient
    departments: tuple[str, ...]
    admin: Mapping[str, str]
    buckets: tuple[Bucket, ...]
    topics: tuple[Topic, ...]

    @classmethod
    def read(cls, folder: Path = DEPLOY, scale: Scale = "local") -> "Topology":
        """Reads and checks the three files.

        Raises TopologyError for a writer, reader or bucket that is not defined.
        """
        principals = _yaml(folder / "principals.yaml")
        services = tuple(_service(name, it) for name, it in principals["services"].items())
        departments = tuple(principals["departments"])
        buckets = tuple(
            Bucket(
                name,
                it["versioned"],
                it["object_lock"],
                tuple(it["anonymous"]),
                tuple(it["forms"]),
                tuple(it["pages"]),
            )
            for name, it in _yaml(folder / "buckets.yaml")["buckets"].items()
        )
        known = {bucket.name for bucket in buckets}
        for service in services:
            if unknown := set(service.store) - known:
                raise TopologyError(f"{service.name} has rights on unknown buckets: {unknown}")
        topics = _topics(_yaml(folder / "topics.yaml")["topics"], services, departments, scale)
        given = principals["approvals"]
        approvals = ApprovalClient(given["client"], tuple(given["redirects"]))
        return cls(services, approvals, departments, principals["admin"], buckets, topics)

    def service(self, name: str) -> Service:
        return next(service for service in self.services if service.name == name)

    @property
    def broker_users(self) -> tuple[str, ...]:
        """Everybody except the administrator and the broker itself."""
        users = [service.kafka for service in self.services]
        return (*users, *map(department_user, self.departments))

    def access_rules(self) -> frozenset[AccessRule]:
        """The broker's complete access list; everything else is refused."""
        rules: set[AccessRule] = set()
        for topic in self.topics:
            rules |= {AccessRule(user, "write", "topic", topic.name) for user in topic.writers}
            rules |= {AccessRule(user, "read", "topic", topic.name) for user in topic.readers}
        for user in self.broker_users:
            rules.add(AccessRule(user, "read", "group", user))
        for service in self.services:
            rules.add(AccessRule(service.kafka, "read", "group", f"{service.kafka}.", True))
        return frozenset(rules)

    def bucket_policy(self, bucket: Bucket) -> str | None:
        """The bucket's policy as JSON, or None if it would be empty.

        A service's account in the store has the service's name.
        """
        statements = []
        for service in self.services:
            on_bucket, on_objects = service.store.get(bucket.name, ((), ()))
            statements += _statement(service.name, on_bucket, bucket.name)
            statements += _statement(service.name, on_objects, f"{bucket.name}/*")
            if service.name in bucket.forms:
                # The gateway checks an upload form's right against the bucket, not the object, and
                # accepts a right on a bucket only together with the same right on its objects.
                both = (bucket.name, f"{bucket.name}/*")
                statements += _statement(service.name, ["s3:PutObject"], *both)
        statements += _statement("*", bucket.anonymous, f"{bucket.name}/*")
        if not statements:
            return None
        return json.dumps({"Version": "2012-10-17", "Statement": statements})


def department_user(code: str) -> str:
    """A department's broker user, which is its consumer group and its client at the issuer too."""
    return f"dept-{code}"


def _yaml(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    return document


def _service(name: str, entry: Mapping[str, Any]) -> Service:
    store = {
        bucket: (tuple(rights["bucket"]), tuple(rights["objects"]))
        for bucket, rights in entry.get("store", {}).items()
    }
    seals = entry.get("seals", False)
    return Service(
        name,
        entry["kafka"],
        entry["database"],
        entry["client"],
        entry["audience"],
        tuple(entry.get("for_people", ())),
        seals,
        store,
    )


def _topics(
    entries: Mapping[str, Mapping[str, Any]],
    services: tuple[Service, ...],
    departments: tuple[str, ...],
    scale: Scale,
) -> tuple[Topic, ...]:
    users = {service.name: service.kafka for service in services}
    topics = []
    for template, entry in entries.items():
        # One name, and the meaning of the word in braces, for each topic of the template.
        if "{department}" in template:
            words = [("department", code, department_user(code)) for code in departments]
        elif "{service}" in template:
            words = [("service", service.name, service.kafka) for service in services]
        else:
            words = [("", "", "")]
        for word, value, user in words:
            name = template.replace(f"{{{word}}}", value)
            known = {**users, word: user} if word else users
            topics.append(_topic(name, entry, known, scale))
    dead = {letter for topic in topics for letter in topic.dead_letters}
    if unknown := dead - {topic.name for topic in topics}:
        raise TopologyError(f"dead-letter topics that do not exist: {sorted(unknown)}")
    return tuple(topics)


def _topic(name: str, entry: Mapping[str, Any], users: Mapping[str, str], scale: Scale) -> Topic:
    if unknown := {*entry["writers"], *entry["readers"]} - set(users):
        raise TopologyError(f"{name} names unknown principals: {sorted(unknown)}")
    dead_letter = entry["dead_letter"]
    services = [reader for reader in entry["readers"] if reader != "department"]
    return Topic(
        name=name,
        partitions=entry["partitions"],
        replication=entry["replication"][scale],
        min_insync=entry["min_insync"][scale],
        retention=timedelta(milliseconds=entry["retention_ms"]),
        segment=timedelta(milliseconds=entry["segment_ms"]),
        writers=frozenset(users[writer] for writer in entry["writers"]),
        readers=frozenset(users[reader] for reader in entry["readers"]),
        # A department keeps its own dead letters: we have no topic for them.
        dead_letters=frozenset(dead_letter.format(reader=it) for it in services)
        if dead_letter
        else frozenset(),
    )


def _statement(who: str, actions: Iterable[str], *resources: str) -> list[dict[str, Any]]:
    if not (allowed := list(actions)):
        return []
    principal = "*" if who == "*" else {"AWS": [who]}
    arns = [f"arn:aws:s3:::{resource}" for resource in resources]
    return [{"Effect": "Allow", "Principal": principal, "Action": allowed, "Resource": arns}]
