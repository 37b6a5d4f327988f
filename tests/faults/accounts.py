"""What every part of the county says after the faults, for comparison."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from aiokafka import ConsumerRecord

from direct311.verifier.log import verify_log
from direct311.verifier.policy import Policy
from direct311.verifier.report import Report
from tests.faults.campaign import Tally
from tests.support.county import County, Document, NotHappeningError, until

RECORDS = {
    "intake": "requests",
    "geo": "records",
    "routing": "jobs",
    "retention": "records",
}
"""Where each service keeps one document for each request."""

VAULTS = ("intake", "media", "audit")
TOPICS = ("request.created", "request.updated", "location.resolved", "media.stored")


@dataclass(frozen=True)
class Accounts:
    """Everything that is compared. `ids`: record ids by service; `events`: topic → record id →
    version → ids of the events that say so; `fetched`: ids of access events by vault."""

    ids: Mapping[str, set[str]]
    jobs: Sequence[Document]
    idempotency: Sequence[str]
    media: Mapping[str, Sequence[str]]
    pending: Mapping[str, int]
    events: Mapping[str, Mapping[str, Mapping[int, set[str]]]]
    first_revisions: Mapping[str, set[str]]
    copies: Mapping[str, set[str]]
    forked: Sequence[str]
    dead_letters: Sequence[str]
    alarms: Sequence[Document]
    accesses: Mapping[str, Document]
    logged: set[str]
    fetched: Mapping[str, set[str]]
    reconciliation: Document
    log: Report


async def settled(county: County, tally: Tally) -> None:
    """Wait until all that was accepted is everywhere, nothing waits to be published or logged."""
    wanted = set(tally.accepted.values())

    async def done() -> bool:
        with county.database() as database:
            for service, collection in RECORDS.items():
                if database[service][collection].count_documents({}) < len(wanted):
                    return False
            if any(_pending(database).values()):
                return False
            media = database.media.records
            if media.count_documents({"files.0": {"$exists": True}}) < len(tally.with_photo):
                return False
        waiting = (await county.counts("routing")).get("waiting", 0)
        state = await county.get("audit", "/v1/reconciliation", "auditor", "ines")
        logged = state["fetches"] >= len(tally.read) and not state["without_event"]
        return waiting == 0 and logged

    try:
        await until(done, "all that was accepted is everywhere", seconds=120)
    except NotHappeningError:
        # The tests say what is missing, each for itself.
        return


async def collect(county: County, checkpoints: Sequence[str]) -> Accounts:
    """Ask everybody."""
    departments = county.stack.topology.departments
    routed = [f"routed.{code}" for code in departments]
    messages = await county.messages(*TOPICS, "request.routed", *routed)
    accesses = await county.messages("pii.accessed")
    letters = await county.messages(*(f"deadletters.{name}" for name in county.stack.services))
    alarms = await county.messages("audit.alarm")
    state = await county.get("audit", "/v1/reconciliation", "auditor", "ines")
    with county.database() as database:
        requests = list(database.intake.requests.find({}, {"idempotency": 1}))
        files = database.media.records.find({"files.0": {"$exists": True}}, {"files": 1})
        return Accounts(
            ids={
                service: {each["_id"] for each in database[service][name].find({}, {"_id": 1})}
                for service, name in RECORDS.items()
            },
            jobs=list(database.routing.jobs.find({}, {"status": 1, "department": 1})),
            idempotency=[each["idempotency"] for each in requests],
            media={each["_id"]: [file["state"] for file in each["files"]] for each in files},
            pending=_pending(database),
            events=_by_version(message for message in messages if message.topic in TOPICS),
            first_revisions=_first_revisions(messages, {"request.routed"}),
            copies=_first_revisions(messages, set(routed)),
            forked=_forked(messages),
            dead_letters=[_letter(letter) for letter in letters],
            alarms=[json.loads(alarm.value or b"{}") for alarm in alarms],
            accesses={_id(each): json.loads(each.value or b"{}") for each in accesses},
            logged={each["event_id"] for each in database.audit.entries.find({}, {"event_id": 1})},
            fetched={
                service: {
                    fetch["event"]
                    for key in database[service]["keys"].find({"fetches": {"$exists": True}})
                    for fetch in key["fetches"]
                }
                for service in VAULTS
            },
            reconciliation=state,
            log=await verified(county, checkpoints),
        )


async def checkpoint(county: County) -> str:
    """The log's head as an auditor takes it away, under its signature."""
    answer = await county.ask("GET", "audit", "/log/checkpoint", "auditor", "ines")
    assert answer.status_code == 200, answer.text
    return answer.text


async def verified(county: County, checkpoints: Sequence[str]) -> Report:
    """All files of the log against its checkpoint and against the earlier ones."""
    headers = await county.session.headers("audit", "auditor", "ines")
    base = county.known.services["audit"] + "/log/"
    with httpx.Client(headers=headers, trust_env=False, timeout=30) as client:

        def read(path: str) -> bytes:
            answer = client.get(base + path)
            if answer.status_code == 404:
                raise FileNotFoundError(path)
            answer.raise_for_status()
            return answer.content

        policy = Policy.parse(county.stack.place.policy.read_bytes())
        return verify_log(read, policy.trust, checkpoints)


def _pending(database: Any) -> dict[str, int]:
    """Outboxes that are not empty."""
    return {
        f"{service}.{name}": database[service][name].count_documents({"pending": {"$gt": 0}})
        for service, name in (*RECORDS.items(), ("media", "records"), ("audit", "records"))
    }


def _id(message: "ConsumerRecord[bytes, bytes]") -> str:
    return dict(message.headers)["ce_id"].decode()


def _key(message: "ConsumerRecord[bytes, bytes]") -> str:
    return (message.key or b"").decode()


def _by_version(messages: Any) -> dict[str, dict[str, dict[int, set[str]]]]:
    found: dict[str, dict[str, dict[int, set[str]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(set))
    )
    for message in messages:
        version = json.loads(message.value)["version"]
        found[message.topic][_key(message)][version].add(_id(message))
    return found


def _first_revisions(messages: Any, topics: set[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for message in messages:
        if message.topic in topics and json.loads(message.value).get("revision") == 1:
            found[_key(message)].add(_id(message))
    return found


def _forked(messages: Any) -> list[str]:
    """Events of which two messages say different things."""
    bodies: dict[tuple[str, str], bytes] = {}
    return [
        f"{message.topic} {_id(message)}"
        for message in messages
        if bodies.setdefault((message.topic, _id(message)), message.value) != message.value
    ]


def _letter(letter: "ConsumerRecord[bytes, bytes]") -> str:
    headers = {name: value.decode() for name, value in letter.headers}
    return f"{headers['dl_service']} {headers['dl_topic']} {headers['dl_kind']}"
