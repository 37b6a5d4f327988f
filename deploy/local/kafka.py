"""Kafka: one process that is broker and controller, SCRAM users, deny by default."""

import asyncio
import contextlib
import hashlib
import json
import logging
import socket
import subprocess
from collections.abc import Iterator

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from deploy.local import kafka_requests
from deploy.local.bootstrap import kafka_libraries
from deploy.local.environment import Place
from deploy.local.secret import Credentials, write_private
from deploy.local.topology import Topology

CLUSTER_ID = "ZGlyZWN0MzExLWxvY2FsMQ"
JAVA = ("-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""Small and quick to start: on two cores the full compiler and the parallel collector cost the
services more than they give the broker."""


class KafkaFormatError(Exception):
    """The storage tool could not prepare the log directory."""


def configuration(place: Place, credentials: Credentials) -> str:
    """`server.properties`. Both listeners require authentication."""
    broker = credentials.kafka["broker"]
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule"
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule"
    login = f'required username="broker" password="{broker}"'
    properties = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{place.ports['controller']}",
        "listeners": f"CLIENTS://{place.listen}:{place.ports['kafka']},"
        f"CONTROLLER://127.0.0.1:{place.ports['controller']}",
        "advertised.listeners": f"CLIENTS://{place.address('kafka')}",
        "listener.security.protocol.map": "CLIENTS:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
        "inter.broker.listener.name": "CLIENTS",
        "controller.listener.names": "CONTROLLER",
        "sasl.enabled.mechanisms": "SCRAM-SHA-256",
        "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-256",
        "listener.name.clients.scram-sha-256.sasl.jaas.config": f"{scram} {login};",
        # SCRAM needs the controller's log, so the controller itself authenticates with PLAIN.
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": (
            f'{plain} {login} user_broker="{broker}";'
        ),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:broker;User:admin",
        "allow.everyone.if.no.acl.found": "false",
        "auto.create.topics.enable": "false",
        "log.dirs": place.data / "kafka",
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 6,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        # A killed broker may come back once its session has expired: 9 s by default.
        "broker.session.timeout.ms": 5000,
        "broker.heartbeat.interval.ms": 500,
        "group.initial.rebalance.delay.ms": 0,
        "compression.type": "producer" if place.compression else "uncompressed",
        "log.cleaner.dedupe.buffer.size": 16_000_000,
        "log.index.size.max.bytes": 1_000_000,
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def prepare(place: Place, credentials: Credentials) -> None:
    """Writes the configuration, and formats the log directory if it is new (1 s)."""
    properties = place.root / "kafka.properties"
    write_private(properties, configuration(place, credentials))
    if (place.data / "kafka" / "meta.properties").exists():
        return
    # These two users must exist before the broker can create others.
    users = [
        f"SCRAM-SHA-256=[name={name},password={credentials.kafka[name]}]"
        for name in ("broker", "admin")
    ]
    tool = _java("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(properties))
    tool += [word for user in users for word in ("--add-scram", user)]
    done = subprocess.run(tool, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise KafkaFormatError(done.stderr[-2000:])


def command(place: Place) -> list[str]:
    return _java("kafka.Kafka", str(place.root / "kafka.properties"))


def connects(place: Place) -> bool:
    """Whether the broker's port answers."""
    host, _, port = place.address("kafka").rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=1):
            return True
    except OSError:
        return False


def provision(place: Place, topology: Topology, credentials: Credentials) -> None:
    """Topics, users and access rules as the topology says; does nothing if the topology has not
    changed."""
    rules = topology.access_rules()
    passwords = {user: credentials.kafka[user] for user in topology.broker_users}
    wanted = json.dumps([repr(topology.topics), repr(sorted(rules)), passwords], sort_keys=True)
    digest = hashlib.sha256(wanted.encode()).hexdigest()
    mark = place.data / "kafka.provisioned"
    if mark.exists() and mark.read_text() == digest:
        return
    with _silent("aiokafka"):
        asyncio.run(_provision(place, topology, credentials, passwords))
    mark.write_text(digest)


async def _provision(
    place: Place, topology: Topology, credentials: Credentials, passwords: dict[str, str]
) -> None:
    client = await _connect(place, "admin", credentials.kafka["admin"])
    try:
        await kafka_requests.put_topics(client, topology.topics)
        await kafka_requests.put_users(client, passwords)
        await kafka_requests.put_rules(client, topology.access_rules())
        # The controller has answered; the broker reads the same log a moment later.
        while await kafka_requests.rules(client) != topology.access_rules():  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.02)
    finally:
        await client.close()
    user = topology.broker_users[-1]
    await (await _connect(place, user, passwords[user])).close()


async def _connect(place: Place, user: str, password: str) -> AIOKafkaClient:
    """A connected client; tries for a minute, because the port answers before the users are
    loaded."""
    deadline = asyncio.get_running_loop().time() + 60
    while True:
        client = AIOKafkaClient(
            bootstrap_servers=place.address("kafka"),
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="SCRAM-SHA-256",
            sasl_plain_username=user,
            sasl_plain_password=password,
        )
        try:
            await client.bootstrap()
        except KafkaError:
            with contextlib.suppress(KafkaError):
                await client.close()
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.1)
        else:
            return client


@contextlib.contextmanager
def _silent(logger: str) -> Iterator[None]:
    """Does not log attempts that are expected to fail."""
    log = logging.getLogger(logger)
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def _java(main: str, *arguments: str) -> list[str]:
    classes = str(kafka_libraries() / "*")
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    return ["java", *JAVA, quiet, "-cp", classes, main, *arguments]
