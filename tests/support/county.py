"""A running stack as its users see it: front ends, staff, departments, auditors, operators."""

import asyncio
import contextlib
import io
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode
from xml.etree import ElementTree

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from minio import Minio
from pymongo import MongoClient

from deploy.local.stack import Stack
from direct311.cli.demo import credentials
from direct311.cli.replay import counts
from direct311.cli.stack import LocalStack, Session
from direct311.runtime.peers import HttpClient
from direct311.schemas import Encoded

T = TypeVar("T")
Document = dict[str, Any]
Fields = Sequence[tuple[str, str]] | Mapping[str, str]
File = tuple[str, bytes, str]
"""Name, bytes, content type."""

PATIENCE = 60.0
"""After this many seconds, something promised within a second or so counts as not happening."""

DEPARTMENT = Path(__file__).parents[2] / "examples" / "department" / "department.py"


class NotHappeningError(AssertionError):
    """What a test waited for did not happen."""


async def until(
    look: Callable[[], Awaitable[T | None]], promise: str, *, seconds: float = PATIENCE
) -> T:
    """The first answer of `look` that is neither `None` nor false.

    :raises NotHappeningError: there was no such answer in time; the message says what was promised.
    """
    deadline = time.monotonic() + seconds
    pause = 0.05
    while True:
        if found := await look():
            return found
        if time.monotonic() > deadline:
            raise NotHappeningError(f"within {seconds:.0f} s: {promise}")
        await asyncio.sleep(pause)
        pause = min(pause * 1.25, 0.25)


@dataclass(frozen=True, slots=True)
class Said:
    """What a department's program returned: exit code, lines of JSON, errors."""

    code: int
    lines: Sequence[Any]
    errors: str


class County:
    """One stack, and all its users."""

    def __init__(self, stack: Stack, http: httpx.AsyncClient, session: Session) -> None:
        self.stack = stack
        self.known = session.stack
        self.http = http
        self.session = session
        self._service_tokens: dict[tuple[str, str], str] = {}

    # --- front ends

    async def submit(
        self,
        fields: Fields,
        files: Sequence[File] = (),
        *,
        client: str | None = "app",
        form: str = "json",
        headers: Mapping[str, str] | None = None,
        seconds: float = 30.0,
    ) -> httpx.Response:
        """POST a service request, as a client with its API key (or without one)."""
        pairs = list(fields.items()) if isinstance(fields, Mapping) else list(fields)
        if "jurisdiction_id" not in dict(pairs):
            pairs.insert(0, ("jurisdiction_id", "miamidade"))
        if client is not None:
            pairs.insert(0, ("api_key", self.known.api_keys[client]))
        url = f"{self.known.services['intake']}/open311/v2/requests.{form}"
        if files:
            parts: list[tuple[str, Any]] = [(name, (None, value)) for name, value in pairs]
            parts += [("media", file) for file in files]
            return await self.http.post(url, files=parts, headers=headers, timeout=seconds)
        body = urlencode(pairs)
        form_type = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self.http.post(
            url, content=body, headers={**form_type, **(headers or {})}, timeout=seconds
        )

    async def accepted(self, fields: Fields, files: Sequence[File] = (), **options: Any) -> str:
        """The id of a submission that must be accepted."""
        answer = await self.submit(fields, files, **options)
        assert answer.status_code == 200, answer.text
        return str(answer.json()[0]["service_request_id"])

    async def open311(self, path: str, **query: str) -> httpx.Response:
        """GET below `/open311/v2/`."""
        url = f"{self.known.services['intake']}/open311/v2/{path}"
        return await self.http.get(url, params=query)

    async def request(self, record_id: str) -> Document:
        """A request as the public sees it."""
        answer = await self.open311(f"requests/{record_id}.json", extensions="true")
        assert answer.status_code == 200, answer.text
        (shown,) = answer.json()
        return dict(shown)

    # --- staff

    async def ask(
        self,
        method: str,
        service: str,
        path: str,
        role: str | None,
        name: str = "ana",
        body: object = None,
        **options: Any,
    ) -> httpx.Response:
        """A call to a service as somebody with a role (`department:CODE`), or as nobody."""
        headers = await self.session.headers(service, role, name) if role else {}
        if body is not None:
            options["json"] = body
        url = self.known.services[service] + path
        return await self.http.request(method, url, headers=headers, **options)

    async def service_headers(self, client_id: str, service: str) -> dict[str, str]:
        """The Authorization header of a service (identified by its client id) for another
        service."""
        key = (client_id, service)
        if key not in self._service_tokens:
            form = {
                "grant_type": "client_credentials",
                "client_id": client_id,
                "client_secret": self.stack.credentials.clients[client_id],
                "resource": self.known.audiences[service],
            }
            answer = await self.http.post(f"{self.known.issuer}/token", data=form)
            self._service_tokens[key] = str(answer.raise_for_status().json()["access_token"])
        return {"Authorization": f"Bearer {self._service_tokens[key]}"}

    async def get(self, service: str, path: str, role: str, name: str = "ana") -> Any:
        """The answer's JSON of a call that must succeed."""
        return _json(await self.ask("GET", service, path, role, name))

    async def post(
        self, service: str, path: str, body: object, role: str, name: str = "ana"
    ) -> Any:
        """The answer's JSON of a call that must succeed."""
        return _json(await self.ask("POST", service, path, role, name, body))

    async def unprotect(self, protection_id: str) -> None:
        """End a protection: two people end it, and then the time to undo it, short here,
        expires."""
        path = f"/v1/protections/{protection_id}"
        if not (await self.get("intake", path, "custodian", "carla"))["in_force"]:
            return
        body = {"reference": "PR-99"}
        await self.post("intake", f"{path}/ending", body, "custodian", "carla")
        confirmed = f"{path}/ending/confirmation"
        await self.post("intake", confirmed, body, "records_officer", "otto")

        async def ended() -> bool:
            return not (await self.get("intake", path, "custodian", "carla"))["in_force"]

        await until(ended, "the protection has ended")

    async def read_contact(
        self, record_id: str, role: str, name: str, *, purpose: str = "respond", **question: Any
    ) -> httpx.Response:
        """Ask for a request's sealed fields, by default name and telephone."""
        body = {
            "purpose": purpose,
            "fields": ["first_name", "phone"],
            "justification": "call back before the visit",
            **question,
        }
        path = f"/v1/requests/{record_id}/contact"
        return await self.ask("POST", "intake", path, role, name, body)

    async def counts(self, service: str) -> dict[str, int]:
        """A service's counts of its existing records by state, with their `total`."""
        return await counts(self.session, service)

    async def job(self, record_id: str) -> Document:
        """What routing knows about a request; empty if it knows nothing yet."""
        answer = await self.ask("GET", "routing", f"/v1/jobs/{record_id}", "agent")
        return {} if answer.status_code == 404 else dict(_json(answer))

    async def routed(self, record_id: str) -> Document:
        """The job once a department has it."""

        async def look() -> Document | None:
            job = await self.job(record_id)
            return job if job.get("routed") else None

        return await until(look, f"{record_id} is routed")

    # --- departments

    async def department(
        self, code: str, *words: str, seconds: float = PATIENCE, settings: Mapping[str, str] = {}
    ) -> Said:
        """Run the example department with its own credentials."""
        environ = {**os.environ, **credentials(self.known, code), **settings}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(DEPARTMENT),
            *words,
            env=environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(seconds):
                out, err = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.communicate()
            raise NotHappeningError(f"within {seconds:.0f} s: {code} {' '.join(words)}") from None
        lines = [json.loads(line) for line in out.decode().splitlines()]
        return Said(process.returncode or 0, lines, err.decode())

    async def received(self, code: str, record_id: str) -> list[Document]:
        """The messages about a record that the department's own credentials find on its topic."""
        known = self.known.departments[code]
        user = {"sasl_plain_username": known.username, "sasl_plain_password": known.password}
        found = await self.messages(f"routed.{code}", group=known.group, **user)
        return [
            json.loads(message.value)
            for message in found
            if message.key == record_id.encode() and message.value
        ]

    # --- operators

    async def messages(
        self, *topics: str, group: str | None = None, **user: str
    ) -> list["ConsumerRecord[bytes, bytes]"]:
        """Everything in these topics now, by default read by the administrator."""
        consumer = AIOKafkaConsumer(**self._kafka(**user), group_id=group, auto_offset_reset="none")
        await consumer.start()
        try:
            found: list[ConsumerRecord[bytes, bytes]] = []
            partitions = [
                TopicPartition(topic, number)
                for topic in topics
                for number in await _partitions(consumer, topic)
            ]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            await consumer.seek_to_beginning(*partitions)
            open_ = {each for each in partitions if ends[each] > 0}
            while open_:
                for partition, records in (await consumer.getmany(timeout_ms=1000)).items():
                    found += [each for each in records if each.offset < ends[partition]]
                done = [each for each in open_ if await consumer.position(each) >= ends[each]]
                open_.difference_update(done)
            return found
        finally:
            await consumer.stop()

    async def say_again(self, messages: Sequence["ConsumerRecord[bytes, bytes]"]) -> None:
        """Publish the same keys, headers and bytes once more, as an administrator can."""
        producer = AIOKafkaProducer(**self._kafka(), acks="all")
        await producer.start()
        try:
            for message in messages:
                await producer.send_and_wait(
                    message.topic, message.value, key=message.key, headers=list(message.headers)
                )
        finally:
            await producer.stop()

    async def forge(self, message: "ConsumerRecord[bytes, bytes]", body: bytes) -> None:
        """Publish a message's key and headers, signature included, with another body."""
        producer = AIOKafkaProducer(**self._kafka(), acks="all")
        await producer.start()
        try:
            await producer.send_and_wait(
                message.topic, body, key=message.key, headers=list(message.headers)
            )
        finally:
            await producer.stop()

    async def send(self, message: Encoded) -> None:
        """Publish a message unchanged."""
        producer = AIOKafkaProducer(**self._kafka(), acks="all")
        await producer.start()
        try:
            headers = [(name, value.encode()) for name, value in message.headers.items()]
            await producer.send_and_wait(
                message.topic, message.body, key=message.key, headers=headers
            )
        finally:
            await producer.stop()

    async def caught_up(self) -> None:
        """Wait until every service has handled everything now in the topics that it reads."""
        admin = AIOKafkaAdminClient(**self._kafka())
        consumer = AIOKafkaConsumer(**self._kafka())
        await admin.start()
        await consumer.start()
        try:
            for name in await groups_of(admin, self.stack.services):
                # A group's own offsets show which topics it reads; it reads all partitions of each.
                topics = {each.topic for each in await admin.list_consumer_group_offsets(name)}
                partitions = [
                    TopicPartition(topic, number)
                    for topic in topics
                    for number in await _partitions(consumer, topic)
                ]
                ends = await consumer.end_offsets(partitions)

                async def done(
                    group: str = name, ends: Mapping[TopicPartition, int] = ends
                ) -> bool:
                    committed = await admin.list_consumer_group_offsets(group)
                    return all(
                        not end or (at in committed and committed[at].offset >= end)
                        for at, end in ends.items()
                    )

                await until(done, f"{name} has handled everything in its topics")
        finally:
            await consumer.stop()
            await admin.close()

    def _kafka(self, **user: str) -> dict[str, Any]:
        kafka = self.known.kafka
        return {
            "bootstrap_servers": kafka.bootstrap,
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "SCRAM-SHA-256",
            "sasl_plain_username": kafka.username,
            "sasl_plain_password": kafka.password,
            **user,
        }

    def database(self) -> "contextlib.closing[MongoClient[Document]]":
        """The administrator's access to all databases."""
        return contextlib.closing(MongoClient(self.known.database.url, tz_aware=True))

    def store(self) -> Minio:
        """The administrator's access to all buckets."""
        store = self.known.store
        return Minio(
            store.endpoint, access_key=store.access_key, secret_key=store.secret_key, secure=False
        )


@asynccontextmanager
async def entering(stack: Stack) -> AsyncIterator[County]:
    """The users of a stack, for the duration of the block."""
    client = HttpClient(timeout=30.0)
    # Never use a proxy that the environment names: everything is on this machine.
    async with httpx.AsyncClient(timeout=30.0, trust_env=False) as http:
        try:
            known = LocalStack.model_validate(stack.dev)
            yield County(stack, http, Session(known, client))
        finally:
            await client.close()


def xml(answer: httpx.Response) -> ElementTree.Element:
    """The root of an XML answer."""
    return ElementTree.parse(io.BytesIO(answer.content)).getroot()


def _json(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.status_code} {answer.text}"
    return answer.json()


async def groups_of(admin: AIOKafkaAdminClient, services: Iterable[str]) -> Sequence[str]:
    """The services' consumer groups: those of their names, and those that begin with them."""
    ours = set(services)
    return [name for name, *_ in await admin.list_consumer_groups() if name.split(".")[0] in ours]


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    await consumer._client.set_topics([topic])
    return set(consumer.partitions_for_topic(topic) or ())
