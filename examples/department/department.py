"""A department: reads its own topic, and answers on its own topic.

It needs `direct311-schemas` and a Kafka client, nothing else of Direct311. Connection and
credentials come from the environment: DEPARTMENT, KAFKA_BOOTSTRAP, KAFKA_USERNAME,
KAFKA_PASSWORD, KAFKA_GROUP.
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, get_args
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from direct311.schemas import (
    DecodeError,
    Event,
    decode,
    encode,
    events,
    misplaced,
    read_headers,
    replies_topic,
    routed_topic,
    updates_topic,
)

ACCEPTED = (events.UpdateAccepted, events.UpdateAcceptedV2)


def connection() -> dict[str, Any]:
    """The settings that every Kafka client of the department needs."""
    environment = os.environ
    return {
        "bootstrap_servers": environment["KAFKA_BOOTSTRAP"],
        "security_protocol": environment.get("KAFKA_SECURITY", "SASL_PLAINTEXT"),
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": environment["KAFKA_USERNAME"],
        "sasl_plain_password": environment["KAFKA_PASSWORD"],
    }


@asynccontextmanager
async def reading(topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer in the department's group, starting at the oldest available message."""
    consumer = AIOKafkaConsumer(
        topic,
        group_id=os.environ["KAFKA_GROUP"],
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        **connection(),
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def watch(department: str, topic: str | None, limit: int | None, record: str | None) -> None:
    """Print each job as a line of JSON, and commit once it is printed.

    With `record`, print only the events about this request, and commit nothing: the other jobs
    still wait.
    """
    topic = topic or routed_topic(department)
    async with reading(topic) as consumer:
        seen = 0
        async for message in consumer:
            try:
                event = decode(read_headers(message.headers), message.value or b"")
            except DecodeError as error:
                print(f"offset {message.offset} is not an event: {error}", file=sys.stderr)
                continue
            if why := misplaced(event, topic):
                print(f"offset {message.offset} does not belong here: {why}", file=sys.stderr)
                continue
            if record not in (None, event.subject):
                continue
            data = event.data.model_dump(mode="json", exclude_none=True)
            print(json.dumps({"event": event.name, **data}), flush=True)
            if record is None:
                await consumer.commit()
            seen += 1
            if limit is not None and seen >= limit:
                return


async def answer(update: events.DepartmentUpdate | events.DepartmentUpdateV2) -> int:
    """Send an update and wait for routing's reply: 0 accepted, 1 refused or no reply."""
    event = Event(
        str(uuid4()),
        f"/department/{update.department}",
        update.record_id,
        datetime.now(UTC),
        update,
    )
    message = encode(event, topic=updates_topic(update.department))
    producer = AIOKafkaProducer(acks="all", **connection())
    await producer.start()
    try:
        headers = [(name, value.encode()) for name, value in message.headers.items()]
        await producer.send_and_wait(message.topic, message.body, key=message.key, headers=headers)
    finally:
        await producer.stop()
    replies = replies_topic(update.department)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(30), reading(replies) as consumer:
            async for reply in consumer:
                answered = decode(read_headers(reply.headers), reply.value or b"")
                await consumer.commit()
                data = answered.data
                if misplaced(answered, replies) or getattr(data, "update_id", None) != event.id:
                    continue
                print(data.model_dump_json(exclude_none=True))
                return 0 if isinstance(data, ACCEPTED) else 1
    print("routing did not reply within 30 s", file=sys.stderr)
    return 1


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    commands = found.add_subparsers(dest="command", required=True)
    watching = commands.add_parser("watch", help="print the department's jobs as they arrive")
    watching.add_argument("--topic", help="another topic (the broker refuses another department's)")
    watching.add_argument("--limit", type=int, help="stop after this many")
    watching.add_argument("--record", help="only this request's, and leave all jobs waiting")
    answering = commands.add_parser("answer", help="report a job's status")
    answering.add_argument("record_id")
    answering.add_argument(
        "status",
        choices=[
            "in_progress",
            "on_hold",
            "referred",
            "duplicate",
            "fixed",
            "closed",
            "closed_unfounded",
        ],
    )
    answering.add_argument("--note", default="", help="a note that the reporter may read")
    answering.add_argument("--reference", help="the work order")
    reporting = commands.add_parser("report", help="report a step of the work (version 2)")
    reporting.add_argument("record_id")
    reporting.add_argument("step", choices=get_args(events.WorkStep))
    reporting.add_argument("--note", default="")
    reporting.add_argument("--internal", action="store_true", help="the note is only for staff")
    reporting.add_argument("--reference", help="the work order")
    reporting.add_argument("--assigned-to", help="a crew or a unit")
    reporting.add_argument("--scheduled-for", help="a time with its zone, ISO 8601")
    reporting.add_argument("--waiting-for", choices=["reporter", "agency"])
    reporting.add_argument("--referred-to", help="the department that gets the job")
    reporting.add_argument("--outcome", choices=get_args(events.WorkOutcome))
    reporting.add_argument("--duplicate-of", help="the request that this one repeats")
    return found


def reported(department: str, arguments: argparse.Namespace) -> events.DepartmentUpdateV2:
    """The step of the command line. Raises pydantic's `ValidationError`."""
    return events.DepartmentUpdateV2.model_validate(
        {
            "record_id": arguments.record_id,
            "department": department,
            "step": arguments.step,
            "occurred_at": datetime.now(UTC),
            "note": arguments.note,
            "note_for": "internal" if arguments.internal else "public",
            "work_reference": arguments.reference,
            "assigned_to": arguments.assigned_to,
            "scheduled_for": arguments.scheduled_for,
            "waiting_for": arguments.waiting_for,
            "referred_to": arguments.referred_to,
            "outcome": arguments.outcome,
            "duplicate_of": arguments.duplicate_of,
        }
    )


def main() -> int:
    arguments = parser().parse_args()
    department = os.environ["DEPARTMENT"]
    try:
        if arguments.command == "watch":
            asyncio.run(watch(department, arguments.topic, arguments.limit, arguments.record))
            return 0
        if arguments.command == "report":
            return asyncio.run(answer(reported(department, arguments)))
        update = events.DepartmentUpdate(
            record_id=arguments.record_id,
            department=department,
            status=arguments.status,
            note=arguments.note,
            work_reference=arguments.reference,
            occurred_at=datetime.now(UTC),
        )
        return asyncio.run(answer(update))
    except TopicAuthorizationFailedError:
        print("The broker refuses: these credentials may not use that topic.", file=sys.stderr)
        return 3
    except KafkaError as error:
        print(f"Kafka: {type(error).__name__}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
