"""A service's signing key in the wrong hands: what its owner may not say has no place in the log.

Each forgery is signed with a real key of the service that says it. It comes to three doors: where
every consumer checks signatures, where audit takes events in, and the verifier, offline.
"""

import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from direct311.audit.log.api.consumers import consuming
from direct311.audit.log.handlers.receive import Receiving
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.clock import TimeOrderedIds
from direct311.runtime.messaging.signing import Principals, PublicKey, SignatureError, Signer
from direct311.runtime.vault.vault import DeniedError
from direct311.schemas import Encoded, Event, decode, encode, isoformat, signed_bytes
from direct311.schemas.model import Model
from direct311.schemas.topics import BY_NAME
from direct311.verifier import event as offline
from tests.support.county import County, until
from tests.support.runtime import SetClock
from tests.support.service_under_test import ServiceUnderTest
from tests.support.submissions import submission
from tests.unit.audit.events import ORDER, RECORD, START, private_key, received
from tests.unit.audit.fakes import InMemoryInbox

SERVICES = ("intake", "media", "geo", "routing", "retention", "audit")
SEALING = {
    "intake": "phone",
    "media": "media_original",
    "retention": "case_letter",
    "audit": "audit_entry",
}
YEAR = timedelta(days=365)
NOW = isoformat(START)
Body = dict[str, Any]

PRINCIPALS = Principals(
    {
        f"{each}-1": PublicKey(
            f"{each}-1", each, private_key(each).public_key(), START - YEAR, START + YEAR
        )
        for each in SERVICES
    }
)
KEYS = [
    offline.EventKey(
        f"{each}-1",
        each,
        private_key(each).public_key().public_bytes_raw(),
        START - YEAR,
        START + YEAR,
    )
    for each in SERVICES
]


def message(
    service: str, kind: str, body: Body, signer: Signer | None = None, at: str = NOW
) -> Encoded:
    """What a broker would deliver: `body` under a good signature of `service`."""
    topic = BY_NAME[kind]
    headers = {
        "ce_specversion": "1.0",
        "ce_id": TimeOrderedIds().new(),
        "ce_type": topic.ce_type,
        "ce_source": f"/direct311/{service}",
        "ce_subject": RECORD,
        "ce_time": at,
        "ce_dataschema": topic.dataschema,
        "content-type": "application/json",
    }
    unsigned = Encoded(kind, RECORD.encode(), headers, json.dumps(body).encode())
    return (signer or Signer(f"{service}-1", private_key(service))).sign(unsigned)


def refused_by_signature(forged: Encoded) -> bool:
    event = decode(forged.headers, forged.body)
    try:
        PRINCIPALS.check(event, forged.headers, forged.body)
    except SignatureError:
        return True
    return False


async def refused_by_audit(forged: Encoded) -> bool:
    inbox = InMemoryInbox()
    refused = await Receiving(inbox, SetClock(START), TimeOrderedIds()).take([received(forged)])
    assert bool(refused) is not bool(inbox.batches)
    return bool(refused)


def refused_offline(forged: Encoded) -> bool:
    headers = forged.headers
    event = offline.Event(
        id=headers["ce_id"],
        type=headers["ce_type"],
        source=headers["ce_source"],
        subject=headers["ce_subject"],
        time=headers["ce_time"],
        body=forged.body,
        keyid=headers["ce_keyid"],
        signature=bytes.fromhex(headers["ce_signature"]),
    )
    try:
        offline.verify_event(event, START, KEYS)
    except offline.ProducerError:
        return True
    return False


# ---------------------------------------------------------------- what a service may say


def access(service: str, **changes: Any) -> Body:
    """An access of a person that this service may tell of, with parts changed."""
    body: Body = {
        "action": "view",
        "outcome": "success",
        "time": {
            "occurred_at": "2026-03-02T14:00:00.000Z",
            "producer": f"{service}/0195567e-8f00-7000-8000-00000000000b",
            "sequence": 1,
        },
        "agent": {"id": "anna", "roles": ["agent"], "authentication": "oidc"},
        "where": {
            "service": service,
            "instance": f"{service}-web1-0123456789ab",
            "service_version": "0.1.0",
            "operation": "POST /v1/requests/{record_id}/contact",
        },
        "why": {"purpose": "respond"},
        "what": {"record_ids": [RECORD], "fields": [SEALING.get(service, "phone")]},
        "decision": {"policy_hash": "0" * 64, "rule": "agent-respond"},
    }
    return changed(body, changes)


def changed(body: Body, changes: Mapping[str, Any]) -> Body:
    for name, value in changes.items():
        body[name] = {**body[name], **value} if isinstance(value, dict) and name in body else value
    return body


def by_grant(**changes: Any) -> Body:
    """What routing opens for a disclosure case."""
    why = {"purpose": "public_records", "case_id": "0195567e-8f00-7000-8000-0000000000ca"}
    history = {"record_ids": [RECORD], "fields": ["job_history"]}
    return changed(access("routing", why=why, what=history), changes)


def void(service: str, **changes: Any) -> Body:
    own = {
        "action": "void",
        "outcome": "error",
        "agent": {"id": f"svc:{service}", "roles": ["service"], "authentication": "service"},
        "what": {"record_ids": [], "fields": []},
        "why": {"purpose": None},
    }
    return changed(access(service, **own), changes)


def sign_in(service: str, **changes: Any) -> Body:
    plain = {
        "action": "sign_in",
        "what": {"record_ids": [], "fields": []},
        "why": {"purpose": None},
    }
    return changed(access(service, **plain), changes)


def in_force(service: str, **changes: Any) -> Body:
    own = {
        "action": "policy_change",
        "agent": {"id": "svc:configuration", "roles": ["service"], "authentication": "service"},
        "what": {"record_ids": [], "fields": []},
        "why": {"purpose": None},
    }
    return changed(access(service, **own), changes)


def refusal(service: str, **changes: Any) -> Body:
    plain = {"outcome": "denied", "what": {"record_ids": [], "fields": []}}
    return changed(access(service, **plain), changes)


def destroyed(holder: str) -> Body:
    return {
        "record_id": RECORD,
        "order_id": ORDER,
        "holder": holder,
        "documents": 1,
        "fields": 2,
        "objects": 0,
        "bytes": 100,
        "keys": 1,
        "manner": "key shredded",
        "destroyed_at": "2026-03-02T14:00:00.000Z",
        "recoverable_until": "2026-04-02T14:00:00.000Z",
    }


CERTIFICATE: Body = {
    "certificate_id": ORDER,
    "order_id": ORDER,
    "record_ids": [RECORD],
    "schedule_number": "GS1-SL",
    "item_number": "270",
    "series_title": "Complaints",
    "inclusive_dates": ["2020-01-01", "2020-12-31"],
    "volume_records": 1,
    "volume_bytes": 100,
    "manner": "key shredded",
    "disposed_on": "2026-03-02",
    "recoverable_until": "2026-04-02T14:00:00.000Z",
    "sha256": "0" * 64,
    "certified_at": "2026-03-02T14:00:00.000Z",
}

CASE_STEP: Body = {
    "case_id": RECORD,
    "version": 1,
    "kind": "public_records",
    "step": "received",
    "state": "received",
    "actor": "carla",
    "occurred_at": "2026-03-02T14:00:00.000Z",
}

NEW = {"issuer": "https://id.county.test", "jti": "token-1", "session": "token-1"}
"""The fields that tell which token a service saw: they make a lie no better."""


def others(service: str) -> list[str]:
    return [each for each in SERVICES if each != service]


def forgeries() -> dict[str, tuple[str, str, Body]]:
    """By name: who signs, the kind, the body."""
    found: dict[str, tuple[str, str, Body]] = {}

    def add(name: str, service: str, body: Body, kind: str = "pii.accessed") -> None:
        assert name not in found
        found[name] = (service, kind, body)

    for each in ("geo", "routing"):
        for action in ("view", "search", "disclose", "export", "key_use", "correct", "destroy"):
            body = access(each, action=action)
            add(f"{each}-says-that-anna-did-{action}", each, body)
        add(f"{each}-says-it-of-a-token", each, access(each, agent=NEW))
        add(f"{each}-names-a-record-alone", each, access(each, what={"fields": []}))
        add(f"{each}-refuses-anna-a-field", each, access(each, outcome="denied"))
        parts: dict[str, Body] = {
            "a-record": {"what": {"record_ids": [RECORD]}},
            "a-field": {"what": {"fields": ["phone"]}},
            "a-related-record": {"retention": {"related_record": RECORD}},
            "what-is-withheld": {"retention": {"exempt_until": "2027-01-01T00:00:00.000Z"}},
        }
        for name, part in parts.items():
            add(f"{each}-signs-anna-in-with-{name}", each, sign_in(each, **part))
            add(f"{each}-refuses-anna-with-{name}", each, refusal(each, **part))
        add(
            f"{each}-says-that-anna-changed-its-rules",
            each,
            in_force(each, agent={"id": "anna", "authentication": "oidc"}),
        )
    for each in SERVICES:
        for other in others(each):
            good = sign_in(each)
            add(
                f"{each}-names-{other}-as-place", each, changed(good, {"where": {"service": other}})
            )
            add(
                f"{each}-names-a-process-of-{other}",
                each,
                sign_in(each, where={"instance": f"{other}-web1-0123456789ab"}),
            )
            add(
                f"{each}-uses-a-number-of-{other}",
                each,
                sign_in(each, time={"producer": f"{other}/0195567e-8f00-7000-8000-00000000000b"}),
            )
            add(
                f"{each}-voids-a-number-of-{other}",
                each,
                void(each, time={"producer": f"{other}/0195567e-8f00-7000-8000-00000000000b"}),
            )
            add(f"{each}-voids-as-{other}", each, void(each, agent={"id": f"svc:{other}"}))
            add(f"{each}-is-{other}-in-all", each, access(other))
            if other != "retention":
                body = destroyed(other)
                add(f"{each}-says-that-{other}-destroyed", each, body, "record.destroyed")
        parts = {
            "anna": {"agent": {"id": "anna"}},
            "anna's-token": {"agent": {"session": "token-1"}},
            "a-record": {"what": {"record_ids": [RECORD]}},
            "success": {"outcome": "success"},
            "a-purpose": {"why": {"purpose": "respond"}},
        }
        for name, part in parts.items():
            add(f"{each}-voids-and-tells-of-{name}", each, void(each, **part))
        if each != "retention":
            add(f"{each}-certifies", each, CERTIFICATE, "disposition.certified")
            add(f"{each}-tells-of-a-case", each, CASE_STEP, "disclosure.recorded")
    for each, own in SEALING.items():
        for other, field in SEALING.items():
            if other != each:
                held = {"fields": [field]}
                add(f"{each}-says-that-anna-opened-{field}", each, access(each, what=held))
                both = {"fields": [own, field]}
                add(f"{each}-adds-{field}-to-its-own", each, access(each, what=both))
                add(
                    f"{each}-says-that-anna-was-refused-{field}",
                    each,
                    access(each, what=held, outcome="denied"),
                )
    for each, action in (
        ("intake", "log_read"),
        ("intake", "export"),
        ("intake", "hold"),
        ("media", "search"),
        ("media", "correct"),
        ("media", "log_read"),
        ("retention", "search"),
        ("retention", "correct"),
        ("retention", "log_read"),
        ("audit", "correct"),
        ("audit", "seal"),
    ):
        add(f"{each}-says-that-anna-did-{action}", each, access(each, action=action))
    # It hands out the packages of its own case files, and nothing of others.
    for other, field in SEALING.items():
        if other != "retention":
            exported = access("retention", action="export", what={"fields": [field]})
            add(f"retention-says-that-anna-exported-{field}", "retention", exported)
    # Each gives out what it holds, and nothing of others.
    for each in ("media", "retention"):
        for other, field in SEALING.items():
            if other != each:
                disclosed = access(each, action="disclose", what={"fields": [field]})
                add(f"{each}-says-that-anna-disclosed-{field}", each, disclosed)
    history: Body = {"what": {"record_ids": [RECORD], "fields": ["job_history"]}}
    histories: dict[str, Body] = {
        "for-no-case": {"why": {"purpose": "respond"}},
        "refused-for-no-case": {"outcome": "denied", "why": {"purpose": "respond"}},
        "refused-for-no-purpose": {"outcome": "denied", "why": {"purpose": None}},
        "in-the-form-of-an-export": {"action": "export"},
        "with-a-search": {"what": {"query_fields": ["phone"]}},
        "and-a-telephone-number": {"what": {"fields": ["job_history", "phone"]}},
    }
    for name, part in histories.items():
        add(f"routing-opens-a-history-{name}", "routing", changed(by_grant(**history), part))
    add("geo-opens-a-history", "geo", access("geo", **history, why={"purpose": "public_records"}))
    add("audit-holds-what-residents-say", "audit", access("audit", what={"fields": ["diary"]}))
    return found


FORGERIES = forgeries()
TRUTHS: dict[str, tuple[str, str, Body]] = {
    **{f"{each}-signs-anna-in": (each, "pii.accessed", sign_in(each)) for each in SERVICES},
    **{f"{each}-voids-its-own": (each, "pii.accessed", void(each)) for each in SERVICES},
    **{f"{each}-has-rules-in-force": (each, "pii.accessed", in_force(each)) for each in SERVICES},
    **{f"{each}-refuses-by-role": (each, "pii.accessed", refusal(each)) for each in SERVICES},
    **{f"{each}-opens-its-own": (each, "pii.accessed", access(each)) for each in SEALING},
    "routing-opens-a-history-for-a-case": ("routing", "pii.accessed", by_grant()),
    "routing-refuses-a-history": ("routing", "pii.accessed", by_grant(outcome="denied")),
    "routing-refuses-many-of-them": (
        "routing",
        "pii.accessed",
        by_grant(outcome="denied", why={"purpose": None}, what={"fields": []}),
    ),
    **{
        f"{each}-tells-of-a-token": (each, "pii.accessed", access(each, agent=NEW))
        for each in SEALING
    },
    **{
        f"{each}-destroyed-its-part": (each, "record.destroyed", destroyed(each))
        for each in SERVICES
        if each != "retention"
    },
    "retention-certifies": ("retention", "disposition.certified", CERTIFICATE),
    "retention-tells-of-a-case": ("retention", "disclosure.recorded", CASE_STEP),
}


@pytest.mark.parametrize("forged", FORGERIES.values(), ids=FORGERIES)
def test_no_consumer_takes_it(forged: tuple[str, str, Body]) -> None:
    assert refused_by_signature(message(*forged))


@pytest.mark.anyio
@pytest.mark.parametrize("forged", FORGERIES.values(), ids=FORGERIES)
async def test_audit_makes_no_entry_of_it(forged: tuple[str, str, Body]) -> None:
    """Even had its signature been passed."""
    assert await refused_by_audit(message(*forged))


@pytest.mark.parametrize("forged", FORGERIES.values(), ids=FORGERIES)
def test_the_verifier_finds_it_offline(forged: tuple[str, str, Body]) -> None:
    assert refused_offline(message(*forged))


@pytest.mark.anyio
@pytest.mark.parametrize("told", TRUTHS.values(), ids=TRUTHS)
async def test_what_a_service_may_say_is_taken_by_all(told: tuple[str, str, Body]) -> None:
    sent = message(*told)
    assert not refused_by_signature(sent)
    assert not await refused_by_audit(sent)
    assert not refused_offline(sent)


@pytest.mark.anyio
async def test_a_forged_receipt_changes_nothing_at_audit_either() -> None:
    noted: list[Event[Model]] = []

    class Disposition:
        async def note(self, event: Event[Model]) -> None:
            noted.append(event)

    class Nothing:
        async def apply(self, events: object) -> list[Any]:
            return []

        async def take(self, event: Event[Model]) -> None: ...

    receiving = Receiving(InMemoryInbox(), SetClock(START), TimeOrderedIds())
    nothing = cast(Any, Nothing())
    process = consuming(receiving, cast(Any, Disposition()), nothing, nothing)
    good = received(message("geo", "record.destroyed", destroyed("geo")))
    bad = received(message("geo", "record.destroyed", destroyed("media")))
    ((event, error),) = await process([good, bad])
    assert (event is bad.event, type(error).__name__) == (True, "ImpostorError")
    assert [each is good.event for each in noted] == [True]


# ---------------------------------------------------------------- and none is made by accident


def sealing_service(service: str) -> ServiceUnderTest:
    signer = Signer(f"{service}-1", private_key(service))
    return ServiceUnderTest(service, clock=SetClock(START), signer=signer)


@pytest.mark.anyio
@pytest.mark.parametrize("service", SEALING)
@pytest.mark.parametrize("field", SEALING.values())
@pytest.mark.parametrize("role", ["auditor", "agent", "admin"])
async def test_a_question_at_the_wrong_door_is_refused_in_words_that_the_log_takes(
    service: str, field: str, role: str
) -> None:
    sealing = sealing_service(service)
    purpose = "authorised_audit" if role == "auditor" else "respond"
    caller = Caller("anna", (role,), token_id="token-1", issuer="https://id.county.test")
    question = Access(
        caller, "view", purpose, "POST /v1/here", (field,), (RECORD,), reference="L-1"
    )
    opened = True
    try:
        await sealing.vault.authorise(question, RecordFacts(RECORD))
    except DeniedError:
        opened = False
    if SEALING[service] != field:
        assert not opened
    (sent,) = [each.message for each in sealing.access_log.entries]
    assert not refused_by_signature(sent)
    told = json.loads(sent.body)
    assert (told["agent"]["issuer"], told["agent"]["jti"]) == (caller.issuer, "token-1")
    assert set(told["what"]["fields"]) <= {SEALING[service]}


def test_an_older_event_is_read_and_sent_on_as_it_was() -> None:
    old = message("intake", "pii.accessed", access("intake"))
    event = cast(Event[Any], decode(old.headers, old.body))
    assert (event.data.agent.issuer, event.data.agent.jti) == (None, None)
    plain = dataclasses.replace(event, keyid=None, signature=None)
    assert b"issuer" not in encode(plain).body
    assert signed_bytes(old.headers, old.body).endswith(old.body)


# ---------------------------------------------------------------- on a running stack


@pytest.mark.anyio
@pytest.mark.e2e
async def test_with_geos_key_nobody_is_framed_on_a_running_county(county: County) -> None:
    geo = Signer.from_file(Path(county.stack.root) / "keys" / "geo-signing.json")
    now = isoformat(datetime.now(UTC))
    seen = len(await county.messages("deadletters.audit"))
    for body in (access("geo"), access("geo", where={"service": "intake"}), destroyed("media")):
        kind = "record.destroyed" if "holder" in body else "pii.accessed"
        if kind == "pii.accessed":
            body = changed(body, {"agent": {"id": "framed"}, "time": {"occurred_at": now}})
        await county.send(message("geo", kind, body, geo, at=now))
    await county.caught_up()
    letters = (await county.messages("deadletters.audit"))[seen:]
    assert len(letters) == 3
    kinds = [value for each in letters for name, value in each.headers if name == "dl_kind"]
    assert kinds == [b"SignatureError"] * 3
    page = await county.get("audit", "/v1/entries?reference=L-1&actor=framed", "auditor", "petra")
    assert page["entries"] == []


@pytest.mark.anyio
@pytest.mark.e2e
async def test_an_entry_says_whose_word_it_is_and_which_token_was_seen(county: County) -> None:
    record_id = await county.accepted(submission(591))
    assert (await county.read_contact(record_id, "agent", "attested")).status_code == 200
    query = f"/v1/entries?reference=L-1&record={record_id}&actor=attested"

    async def logged() -> Any:
        return (await county.get("audit", query, "auditor", "petra"))["entries"]

    (entry,) = await until(logged, "the access is in the log")
    assert (entry["actor_attested_by"], entry["actor_confirmed"]) == ("intake", False)
    assert entry["token_issuer"] == county.known.issuer
    assert entry["token_id"]
