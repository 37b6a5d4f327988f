"""Requests of Kafka's protocol that aiokafka does not offer: users and access lists.

Written from the protocol's message definitions (AlterUserScramCredentials version 0, CreateAcls and
DeleteAcls version 1). A Java tool that does one of these takes two seconds each time; these take
milliseconds for all of them together.
"""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import (
    CreateAclsRequest_v1,
    CreateTopicsRequest,
    DeleteAclsRequest_v1,
    DescribeAclsRequest,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    CompactArray,
    CompactBytes,
    CompactString,
    Int8,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from deploy.local.topology import AccessRule, Topic

SCRAM_SHA_256 = 1
ITERATIONS = 4096
TOPIC_EXISTS = 36

ANY = 1
ALLOW = 3
RESOURCES = {"topic": 2, "group": 3}
OPERATIONS = {"read": 3, "write": 4}
LITERAL, PREFIXED = 3, 4


class ProvisioningError(Exception):
    """The broker refused a topic, a user or a rule."""


class _AlterUsersResponse(Response):
    API_KEY = 51
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _AlterUsersStruct(RequestStruct):
    API_KEY = 51
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _AlterUsersResponse
    SCHEMA = Schema(
        (
            "deletions",
            CompactArray(
                ("name", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields)
            ),
        ),
        (
            "upsertions",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _AlterUsers(Request[_AlterUsersStruct]):
    API_KEY = 51

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._passwords = passwords

    def build(self, request_struct_class: type[_AlterUsersStruct]) -> _AlterUsersStruct:
        upsertions: list[tuple[Any, ...]] = []
        for user, password in self._passwords.items():
            salt = secrets.token_bytes(16)
            # RFC 5802, section 3: SaltedPassword := Hi(Normalize(password), salt, i)
            salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
            upsertions.append((user, SCRAM_SHA_256, ITERATIONS, salt, salted, {}))
        return request_struct_class([], upsertions, {})


class _CreateRules(Request[CreateAclsRequest_v1]):
    API_KEY = 30

    def __init__(self, rules: Iterable[AccessRule]) -> None:
        self._rules = list(rules)

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        return request_struct_class([_wire(rule) for rule in self._rules])


class _DeleteRules(Request[DeleteAclsRequest_v1]):
    API_KEY = 31

    def __init__(self, rules: Iterable[AccessRule]) -> None:
        self._rules = list(rules)

    def build(self, request_struct_class: type[DeleteAclsRequest_v1]) -> DeleteAclsRequest_v1:
        return request_struct_class([_wire(rule) for rule in self._rules])


async def put_users(client: AIOKafkaClient, passwords: Mapping[str, str]) -> None:
    """Creates these users, or gives them these passwords (SCRAM-SHA-256)."""
    answer = await _send(client, _AlterUsers(passwords))
    for user, code, message, _ in answer.results:
        _check(code, f"user {user}: {message}")


async def put_topics(client: AIOKafkaClient, topics: Iterable[Topic]) -> None:
    """Creates missing topics; existing ones keep their partitions."""
    wanted: list[Any] = [
        (topic.name, topic.partitions, topic.replication, [], list(topic.configuration.items()))
        for topic in topics
    ]
    request = CreateTopicsRequest(create_topic_requests=wanted, timeout=30_000, validate_only=False)
    answer = await _send(client, request)
    for name, code, *message in answer.topic_errors:
        if code != TOPIC_EXISTS:
            _check(code, f"topic {name}: {message}")


async def put_rules(client: AIOKafkaClient, wanted: frozenset[AccessRule]) -> None:
    """Makes the access list exactly this: adds missing rules and removes others."""
    known = await rules(client)
    if missing := wanted - known:
        answer = await _send(client, _CreateRules(sorted(missing)))
        for code, message in answer.creation_responses:
            _check(code, f"access rule: {message}")
    if surplus := known - wanted:
        answer = await _send(client, _DeleteRules(sorted(surplus)))
        for code, message, _ in answer.filter_responses:
            _check(code, f"access rule: {message}")


async def rules(client: AIOKafkaClient) -> frozenset[AccessRule]:
    """The access list as the broker has it."""
    everything = DescribeAclsRequest(ANY, None, ANY, None, None, ANY, ANY)  # type: ignore[arg-type]
    answer = await _send(client, everything)
    _check(answer.error_code, f"access list: {answer.error_message}")
    resources = {number: name for name, number in RESOURCES.items()}
    operations = {number: name for name, number in OPERATIONS.items()}
    return frozenset(
        AccessRule(
            principal.removeprefix("User:"),
            operations[operation],  # type: ignore[arg-type]
            resources[resource],  # type: ignore[arg-type]
            name,
            pattern == PREFIXED,
        )
        for resource, name, pattern, entries in answer.resources
        for principal, _, operation, _ in entries
    )


def _wire(rule: AccessRule) -> tuple[int, str, int, str, str, int, int]:
    pattern = PREFIXED if rule.prefixed else LITERAL
    who = f"User:{rule.user}"
    kind = RESOURCES[rule.resource]
    return (kind, rule.name, pattern, who, "*", OPERATIONS[rule.operation], ALLOW)


async def _send(client: AIOKafkaClient, request: Request[Any]) -> Any:
    return await client.send(client.get_random_node(), request)


def _check(code: int, what: str) -> None:
    if code != 0:
        raise ProvisioningError(f"{what} ({for_code(code).__name__})")
