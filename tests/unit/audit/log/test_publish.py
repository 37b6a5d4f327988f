"""A checkpoint is published once cosigned; the log does not wait for it."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from direct311.audit.entry import Filter
from direct311.audit.index.handlers.watch_index import IndexWatch
from direct311.audit.log.adapters.log_keys import read_log_keys, read_policy
from direct311.audit.log.adapters.witnesses import HttpWitness
from direct311.audit.log.handlers.archive import Archive
from direct311.audit.log.handlers.log_keys import LogKey, LogKeyError, LogKeys, NoLogKeyError
from direct311.audit.log.handlers.publish import Publisher, Witnessed
from direct311.audit.log.ports.publication import (
    NotPublishedError,
    WitnessConflictError,
    WitnessRefusedError,
    WitnessSilentError,
)
from direct311.audit.log.ports.publication import Witness as AskedWitness
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.http.problem_codes import status_of
from direct311.runtime.peers import HttpClient
from direct311.verifier.bundle import verify_bundle
from direct311.verifier.checkpoint import Checkpoint, Trust, verify_checkpoint
from direct311.verifier.note import (
    Cosigner,
    Note,
    Signer,
    UnverifiedNoteError,
    VerifierKey,
    WrongSignatureError,
    encode_base64,
)
from direct311.verifier.policy import Policy, PolicyError
from direct311.verifier.proof import TlogProof
from direct311.verifier.submission import Submission
from direct311.witness.memory import Head as Seen
from direct311.witness.witness import Witness
from tests.unit.audit.audit_under_test import ASKING, AuditUnderTest
from tests.unit.audit.events import RECORD, START, Producer, private_key, producers
from tests.unit.audit.fakes import InMemoryPublications
from tests.unit.audit.log.publications_contract import PublicationsContract
from tests.unit.audit.log_contract import LOG_KEYS, LOG_SIGNER, Stores, accesses, in_memory

pytestmark = pytest.mark.anyio
ORIGIN = LOG_SIGNER.key.name
SUCCESSOR = Signer(ORIGIN, private_key("successor"))
COSIGNERS = {
    name: Cosigner(f"{name}.example.org", private_key(f"witness {name}"))
    for name in ("a", "b", "c")
}


def policy(quorum: str = "group two 2 a b c\nquorum two", *logs: Signer) -> Policy:
    lines = [f"log {signer.key}" for signer in logs or (LOG_SIGNER,)]
    lines += [f"witness {name} {each.key} http://{name}" for name, each in COSIGNERS.items()]
    return Policy.parse("\n".join([*lines, quorum, ""]).encode())


class Heads:
    """A witness's memory, without a disk."""

    def __init__(self) -> None:
        self.seen = Seen()

    def latest(self, origin: str) -> Seen:
        return self.seen

    def advance(self, origin: str, old: Seen, new: Seen, note: str) -> bool:
        if self.seen != old:
            return False
        self.seen = new
        return True


class RealWitness:
    """The witness of `direct311.witness` without HTTP; can be away, or hang."""

    def __init__(self, name: str, now: Any) -> None:
        self.name = name
        self.key = COSIGNERS[name].key
        self.heads = Heads()
        self.away = self.hangs = False
        self.altered: Any = None
        """What is done to an answer on its way."""
        self.asked: list[int] = []
        self._rule = Witness([LOG_SIGNER.key, SUCCESSOR.key], COSIGNERS[name], self.heads, now)

    async def add_checkpoint(self, submission: Submission) -> str:
        self.asked.append(submission.old)
        await asyncio.sleep(60 if self.hangs else 0)
        if self.away:
            raise WitnessSilentError
        answer = self._rule.add_checkpoint(str(submission).encode())
        if answer.status == 409:
            raise WitnessConflictError(int(answer.text))
        if answer.status != 200:
            raise WitnessRefusedError(answer.status)
        return str(self.altered(answer.text)) if self.altered else answer.text


class County(AuditUnderTest):
    """The log with its publisher and three witnesses, of which two must cosign."""

    def __init__(self, rule: Policy | None = None, keys: LogKeys = LOG_KEYS) -> None:
        super().__init__()
        self.clock, self.keys_of_log = self.stores.clock, keys
        self.witnesses = [RealWitness(name, self.clock.now) for name in COSIGNERS]
        self.asked: Sequence[AskedWitness] = self.witnesses
        self.publications = InMemoryPublications()
        self.published = Witnessed(
            self.publications, patience=timedelta(seconds=0.05), pause=timedelta(seconds=0.01)
        )
        self.answers: Counter[tuple[str, str]] = Counter()
        self.policy = rule or policy()
        self.publisher = self.another_publisher()
        self.reading._published = self.published
        self.reading._log_keys = keys

    def another_publisher(self) -> Publisher:
        return Publisher(
            self.stores.log,
            self.stores.files,
            self.publications,
            self.asked,
            self.policy,
            self.keys_of_log,
            self.stores.alarms,
            self.clock,
            answered=lambda witness, how: self.answers.update([(witness, how)]),
        )

    async def grow(self, number: int) -> list[str]:
        at = self.clock.now()
        return await self.log(*(Producer().access(RECORD, at=at) for _ in range(number)))

    async def published_size(self) -> int:
        return (await self.published.current()).head.size

    @property
    def alarms(self) -> Sequence[tuple[str, str]]:
        return self.stores.alarms.raised

    def away(self, *names: str) -> None:
        for witness in self.witnesses:
            witness.away = witness.name in names


@pytest.fixture
def county() -> County:
    return County()


class TestInMemory(PublicationsContract):
    @pytest.fixture
    def publications(self) -> InMemoryPublications:
        return InMemoryPublications()


async def test_what_is_published_is_cosigned_and_verifies(county: County) -> None:
    await county.grow(5)
    await county.publisher.step()
    published = await county.published.current()
    signed = verify_checkpoint(published.note, county.policy.trust)
    assert signed.checkpoint == Checkpoint(ORIGIN, 5, (await county.stores.log.head()).root)
    assert signed.seen_at == {f"{name}.example.org": START for name in COSIGNERS}
    assert county.alarms == []


async def test_an_empty_log_is_published_too(county: County) -> None:
    await county.publisher.step()
    assert await county.published_size() == 0
    await county.grow(3)
    await county.publisher.step()
    assert await county.published_size() == 3


async def test_witnesses_are_asked_only_where_there_is_news(county: County) -> None:
    await county.grow(5)
    for _ in range(5):
        await county.publisher.step()
    await county.grow(300)
    await county.publisher.step()
    # Each one's remembered size is known after the first round.
    assert [witness.asked for witness in county.witnesses] == [[0, 5]] * 3


async def test_another_process_follows_what_the_witnesses_remember(county: County) -> None:
    await county.grow(5)
    await county.publisher.step()
    await county.grow(300)
    await county.another_publisher().step()
    assert await county.published_size() == 305
    assert [witness.asked for witness in county.witnesses] == [[0, 0, 5]] * 3
    assert county.answers["a", "conflict"] == 1


async def test_one_witness_away_is_no_outage(county: County) -> None:
    county.away("b")
    await county.grow(5)
    await county.publisher.step()
    note = (await county.published.current()).note
    seen = verify_checkpoint(note, county.policy.trust).seen_at
    assert set(seen) == {"a.example.org", "c.example.org"}
    assert county.answers["b", "silent"] == 1
    # Back, it goes on from where it was.
    county.away()
    await county.grow(5)
    await county.publisher.step()
    assert county.answers["b", "cosigned"] == 1


async def test_a_witness_that_hangs_does_not_hold_up_the_others(county: County) -> None:
    county.witnesses[0].hangs = True
    await county.grow(5)
    async with asyncio.timeout(5):
        await county.publisher.step()
    assert await county.published_size() == 5


async def test_without_a_quorum_one_that_hangs_is_waited_for_and_then_missing(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Publisher, "LONGEST_ASK", 0.05)
    county.away("b")
    county.witnesses[2].hangs = True
    await county.grow(5)
    county.clock.advance(timedelta(seconds=61))
    async with asyncio.timeout(5):
        await county.publisher.step()
    assert county.alarms == [("checkpoint_age", f"{ORIGIN} 0")]
    assert county.answers == {("a", "cosigned"): 1, ("b", "silent"): 1, ("c", "silent"): 1}
    county.witnesses[2].hangs = False
    await county.publisher.step()
    assert await county.published_size() == 5


class Dripping(httpx.AsyncByteStream):
    """An answer that never ends and never pauses for long."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.01)
            yield b"x"


async def test_an_answer_that_drips_does_not_hold_up_the_alarm(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Publisher, "LONGEST_ASK", 0.1)
    drips = httpx.MockTransport(lambda request: httpx.Response(200, stream=Dripping()))
    http = HttpClient(timeout=0.05, transport=drips)
    county.asked = [HttpWitness("a", COSIGNERS["a"].key, "http://a", http), *county.witnesses[1:]]
    county.publisher = county.another_publisher()
    county.away("b")
    await county.grow(5)
    county.clock.advance(timedelta(seconds=61))
    async with asyncio.timeout(5):
        await county.publisher.step()
    assert county.alarms == [("checkpoint_age", f"{ORIGIN} 0")]
    assert county.answers["a", "silent"] == 1
    await http.close()


def archive_of(county: County) -> Archive:
    """It writes the checkpoints that witnesses have cosigned."""
    stores = county.stores
    return Archive(stores.log, stores.objects, stores.alarms, county.published, county.clock)


@pytest.mark.parametrize(
    "error",
    [TransientError("the store is away"), RecursionError(), asyncio.CancelledError()],
    ids=lambda error: type(error).__name__,
)
async def test_what_goes_wrong_with_one_witness_concerns_no_other(
    county: County, error: BaseException
) -> None:
    class Wrong(RealWitness):
        async def add_checkpoint(self, submission: Submission) -> str:
            raise error

    county.witnesses[0] = Wrong("a", county.clock.now)
    await county.grow(5)
    await county.publisher.step()
    note = (await county.published.current()).note
    seen = verify_checkpoint(note, county.policy.trust).seen_at
    assert set(seen) == {"b.example.org", "c.example.org"}
    assert county.answers["a", "unreadable"] == isinstance(error, Exception)


async def test_a_witness_whose_proof_cannot_be_made_concerns_no_other(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One was away for long: the proof for it needs tiles of the store, and the store is away."""
    await county.grow(300)
    await county.publisher.step()
    county.away("c")
    await county.grow(700)
    await county.publisher.step()
    archive = archive_of(county)
    await archive.step()
    county.away()
    await county.grow(10)

    async def away(path: str) -> bytes:
        raise TransientError("the store is away")

    with monkeypatch.context() as store:
        store.setattr(county.stores.objects, "get", away)
        await county.publisher.step()
    assert await county.published_size() == 1_010
    assert county.answers["c", "unreadable"] == 1
    await county.grow(1)
    await county.publisher.step()
    assert county.answers["c", "cosigned"] == 2


async def test_a_step_that_is_cancelled_ends_and_asks_nobody_on(county: County) -> None:
    for witness in county.witnesses:
        witness.hangs = True
    await county.grow(5)
    others = asyncio.all_tasks()
    step = asyncio.create_task(county.publisher.step())
    await asyncio.sleep(0.01)
    assert len(asyncio.all_tasks() - others) == 4
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    assert asyncio.all_tasks() - others == set()
    assert county.answers == {}


async def test_without_a_quorum_appends_go_on_and_what_is_published_stays(county: County) -> None:
    ids = await county.grow(5)
    await county.publisher.step()
    county.away("b", "c")
    ids += await county.grow(5)
    await county.publisher.step()
    assert (await county.stores.log.head()).size == 10
    assert await county.published_size() == 5

    # Entries can be read; what is proved is what is published.
    assert len((await county.reading.page(ASKING, Filter(), limit=20)).entries) == 10
    assert (await county.reading.proof(ASKING, ids[4])).size == 5
    with pytest.raises(NotPublishedError) as unproved:
        await county.reading.proof(ASKING, ids[5])
    assert (status_of(unproved.value), unproved.value.retry_after) == (503, 2)
    assert (await county.reading.consistency(2, None)).new == 5
    with pytest.raises(RefusedError) as above:
        await county.reading.consistency(2, 10)
    assert status_of(above.value) == 422
    bundle = await county.bundle(Filter())
    assert verify_bundle(bundle, county.policy.trust, producers()).ok
    assert [each["index"] for each in json.loads(bundle)["receipts"]] == [0, 1, 2, 3, 4]

    county.away()
    await county.publisher.step()
    assert (await county.reading.proof(ASKING, ids[5])).size == 10


async def test_an_outage_alarms_once_and_the_next_one_again(county: County) -> None:
    await county.grow(5)
    await county.publisher.step()
    county.away("b", "c")
    await county.grow(2)
    assert await county.publisher.waiting() == timedelta()
    for _ in range(5):
        county.clock.advance(timedelta(seconds=15))
        await county.publisher.step()
        assert bool(county.alarms) == (county.clock.now() - START > timedelta(seconds=60))
    assert await county.publisher.waiting() == timedelta(seconds=75)
    assert county.alarms == [("checkpoint_age", f"{ORIGIN} 5")]
    county.away()
    await county.publisher.step()
    assert await county.publisher.waiting() == timedelta()
    county.away("a", "b")
    await county.grow(1)
    county.clock.advance(timedelta(seconds=61))
    await county.publisher.step()
    assert county.alarms[1:] == [("checkpoint_age", f"{ORIGIN} 7")]


@pytest.mark.parametrize("step", ["head", "latest", "keep"])
async def test_a_database_that_fails_for_long_is_an_outage_too(
    county: County, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes and goes: what it failed at is the next time possible, and so is the alarm."""
    await county.grow(5)
    await county.publisher.step()
    await county.grow(2)
    store: Any = county.stores.log if step == "head" else county.publications
    works, failed = getattr(store, step), 0

    async def fails_first(*given: Any) -> Any:
        nonlocal failed
        failed += 1
        if failed == 1:
            raise TransientError("the database is away")
        return await works(*given)

    for wait, alarms in ((59, []), (2, [("checkpoint_age", f"{ORIGIN} 5")])):
        county.clock.advance(timedelta(seconds=wait))
        failed = 0
        with monkeypatch.context() as broken:
            broken.setattr(store, step, fails_first)
            with pytest.raises(TransientError):
                await county.publisher.step()
        assert county.alarms == alarms
    await county.publisher.step()
    assert await county.published_size() == 7


async def test_a_database_that_is_away_is_told_as_what_it_is(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*given: Any) -> Any:
        raise TransientError("the database is away")

    async def no_alarm(*given: Any) -> None:
        raise ValueError("another reason")

    await county.grow(5)
    county.clock.advance(timedelta(seconds=61))
    monkeypatch.setattr(county.publications, "keep", away)
    monkeypatch.setattr(county.stores.alarms, "raise_alarm", no_alarm)
    with pytest.raises(TransientError):
        await county.publisher.step()


async def test_a_log_at_rest_is_no_outage(county: County) -> None:
    await county.grow(5)
    await county.publisher.step()
    county.away("a", "b", "c")
    county.clock.advance(timedelta(days=3))
    await county.publisher.step()
    assert (county.alarms, await county.publisher.waiting()) == ([], timedelta())


async def test_before_the_first_quorum_nothing_is_published(county: County) -> None:
    county.away("a", "b")
    (event_id,) = await county.grow(1)
    await county.publisher.step()
    for question in (
        county.published.current(),
        county.reading.proof(ASKING, event_id),
        county.reading.bundle(ASKING, Filter()),
        county.reading.consistency(0, None),
    ):
        with pytest.raises(NotPublishedError):
            await question
    # Nothing was opened for a bundle that could not be made.
    assert county.access_log.entries == []
    archive = archive_of(county)
    await archive.step()
    county.away()
    await county.publisher.step()
    await archive.step()
    kept = await county.stores.objects.get("checkpoint/2026/03/02T14")
    assert kept.decode() == (await county.published.current()).note


async def test_a_proof_of_what_was_just_logged_waits_for_its_checkpoint(county: County) -> None:
    await county.publisher.step()
    (event_id,) = await county.grow(1)
    asking = asyncio.create_task(county.reading.proof(ASKING, event_id))
    await asyncio.sleep(0.01)
    await county.publisher.step()
    proof = await asking
    assert proof.size == 1
    text = str(TlogProof(0, tuple(proof.hashes), proof.checkpoint))
    assert TlogProof.parse(text).verify(proof.row.data, county.policy.trust).checkpoint.size == 1


@pytest.mark.parametrize(
    ("altered", "cosigned"),
    [
        (lambda lines: lines[:-10] + "AAAA" + lines[-6:], False),
        (lambda lines: "", False),
        (lambda lines: "<html>\n", False),
        (lambda lines: lines.replace("a.example.org", "b.example.org"), False),
        (lambda lines: f"{lines}{COSIGNERS['b'].sign('else', START)}", True),
    ],
    ids=range(5),
)
async def test_what_no_witness_signed_does_not_count(altered: Any, cosigned: bool) -> None:
    county = County(policy("quorum a"))
    county.witnesses[0].altered = altered
    await county.grow(5)
    await county.publisher.step()
    assert (await county.publications.latest() is not None) == cosigned
    if cosigned:
        note = Note.parse((await county.published.current()).note)
        assert note.verify([COSIGNERS["a"].key])


class Lengthening(RealWitness):
    """Cosigns a longer text than the checkpoint's, and answers what was added with the line."""

    async def add_checkpoint(self, submission: Submission) -> str:
        line = COSIGNERS[self.name].sign(f"{submission.note.text}\nmore\n", START)
        return f"more\n\n{line}"


async def test_a_cosignature_of_a_longer_text_does_not_count(county: County) -> None:
    county.witnesses[0] = Lengthening("a", county.clock.now)
    await county.grow(5)
    await county.publisher.step()
    note = (await county.published.current()).note
    seen = verify_checkpoint(note, county.policy.trust).seen_at
    assert set(seen) == {"b.example.org", "c.example.org"}
    assert county.answers["a", "unreadable"] == 1


async def test_a_note_that_does_not_verify_whole_is_an_alarm(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with it: each line was verified alone before."""

    def changed(note: str, trust: Trust) -> None:
        raise WrongSignatureError("a line does not verify")

    monkeypatch.setattr("direct311.audit.log.handlers.publish.verify_checkpoint", changed)
    await county.grow(5)
    county.clock.advance(timedelta(seconds=61))
    await county.publisher.step()
    assert await county.publications.latest() is None
    assert county.alarms == [("checkpoint_age", f"{ORIGIN} 0")]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.Response(200, text="— line\n"), "— line\n"),
        (httpx.Response(200, content=b"\xff"), ""),
        (httpx.Response(200, text=65_536 * "x"), 65_536 * "x"),
        (httpx.Response(200, text=65_537 * "x"), ""),
        (httpx.Response(409, text="9\n"), WitnessConflictError(9)),
        (httpx.Response(409, text="nine\n"), WitnessRefusedError(409)),
        (httpx.Response(409, text="-9\n"), WitnessRefusedError(409)),
        (httpx.Response(409, text="true\n"), WitnessRefusedError(409)),
        (httpx.Response(409, text=60_000 * "["), WitnessRefusedError(409)),
        (httpx.Response(409, text="9" + 65_536 * " "), WitnessRefusedError(409)),
        (httpx.Response(422, text="wrong proof\n"), WitnessRefusedError(422)),
        (httpx.Response(404), WitnessRefusedError(404)),
        (httpx.Response(503), WitnessSilentError()),
        (httpx.ConnectError("refused"), WitnessSilentError()),
    ],
    ids=range(14),
)
async def test_a_witness_over_http_is_understood(
    answer: httpx.Response | Exception, expected: str | Exception
) -> None:
    submission = Submission(0, (), Checkpoint(ORIGIN, 3, bytes(32)).sign([LOG_SIGNER]))

    def reply(request: httpx.Request) -> httpx.Response:
        assert (request.method, str(request.url)) == ("POST", "http://w/prefix/add-checkpoint")
        assert Submission.parse(request.content.decode()) == submission
        if isinstance(answer, Exception):
            raise answer
        return answer

    http = HttpClient(transport=httpx.MockTransport(reply))
    witness = HttpWitness("w", COSIGNERS["a"].key, "http://w/prefix/", http)
    if isinstance(expected, str):
        assert await witness.add_checkpoint(submission) == expected
    else:
        with pytest.raises(type(expected)) as raised:
            await witness.add_checkpoint(submission)
        assert vars(raised.value) == vars(expected)
    await http.close()


# ---------------------------------------------------------------- forks


async def cosign_elsewhere(county: County, name: str, size: int) -> None:
    """The witness cosigns another history of the log, as the log's key signed it."""
    (witness,) = (each for each in county.witnesses if each.name == name)
    note = Checkpoint(ORIGIN, size, bytes([size]) * 32).sign([LOG_SIGNER])
    witness.heads.seen = Seen()
    await witness.add_checkpoint(Submission(0, (), note))
    witness.asked.clear()


@pytest.mark.parametrize("size", [3, 5, 8], ids=["smaller", "same", "larger"])
async def test_a_witness_that_knows_another_history_is_an_alarm(county: County, size: int) -> None:
    await county.grow(5)
    await cosign_elsewhere(county, "b", size)
    for _ in range(3):
        await county.publisher.step()
        await county.grow(1)
    assert county.alarms[0] == ("forked_view", f"b.example.org {size}")
    assert {kind for kind, _ in county.alarms} == {"forked_view"}
    assert {about for _, about in county.alarms} == {f"b.example.org {size}"}
    # The others carry the quorum.
    assert await county.published_size() == 7
    assert county.answers["b", "cosigned"] == 0


async def test_a_log_that_was_set_back_is_an_alarm_and_is_not_published(county: County) -> None:
    await county.grow(9)
    await county.publisher.step()
    restored = County()
    restored.witnesses = restored.asked = county.witnesses
    restored.publisher = restored.another_publisher()
    await restored.grow(4)
    await restored.publisher.step()
    assert await restored.publications.latest() is None
    assert sorted(restored.alarms) == [
        ("forked_view", f"{name}.example.org 9") for name in COSIGNERS
    ]


async def test_a_late_process_publishes_nothing_older_and_alarms_nobody(county: County) -> None:
    """A copy of the service that was stopped in the middle goes on with the head that it had."""
    await county.grow(5)
    log = county.stores.log
    old = await log.head()
    await county.grow(5)
    await county.publisher.step()

    late = county.another_publisher()
    heads = [old]

    class Stopped:
        async def head(self) -> Any:
            return heads.pop() if heads else await log.head()

        def __getattr__(self, name: str) -> Any:
            return getattr(log, name)

    late._log = Stopped()
    await late.step()
    assert await county.published_size() == 10
    assert county.alarms == []


# ---------------------------------------------------------------- exchange of the log's key


def rotation() -> LogKeys:
    """The old key signs for 20 days, the new one from the 10th on."""
    return LogKeys(
        [
            LogKey(LOG_SIGNER, None, START + timedelta(days=20)),
            LogKey(SUCCESSOR, START + timedelta(days=10)),
        ]
    )


async def test_while_the_logs_key_is_exchanged_old_and_new_verifiers_go_on() -> None:
    county = County(policy("group two 2 a b c\nquorum two", LOG_SIGNER, SUCCESSOR), rotation())
    quorum = county.policy.quorum
    witnesses = county.policy.trust.witnesses
    old = Trust((LOG_SIGNER.key,), witnesses, quorum)
    new = Trust((SUCCESSOR.key,), witnesses, quorum)
    kept: list[str] = []
    for day, believers, unbelievers in (
        (0, [old], [new]),
        (12, [old, new], []),
        (25, [new], [old]),
    ):
        county.clock.at = START + timedelta(days=day)
        await county.grow(3)
        await county.publisher.step()
        note = (await county.published.current()).note
        bundle = await county.bundle(Filter())
        for trust in (*believers, county.policy.trust):
            assert verify_checkpoint(note, trust).checkpoint.size == len(kept) * 3 + 3
            assert verify_bundle(bundle, trust, producers()).ok
        for trust in unbelievers:
            with pytest.raises(UnverifiedNoteError):
                verify_checkpoint(note, trust)
        kept.append(note)
    # Checkpoints of all three times are good for a verifier that knows both keys.
    assert [verify_checkpoint(note, county.policy.trust).checkpoint.size for note in kept] == [
        3,
        6,
        9,
    ]


async def test_a_log_at_rest_is_signed_anew_when_its_keys_change() -> None:
    county = County(policy("group two 2 a b c\nquorum two", LOG_SIGNER, SUCCESSOR), rotation())
    await county.grow(3)
    for day in (0, 12, 12, 25, 25):
        county.clock.at = START + timedelta(days=day)
        await county.publisher.step()
    assert [witness.asked for witness in county.witnesses] == [[0, 3]] * 3
    # With the old key gone the note that both signed is as good as one of the new key alone.
    note = (await county.published.current()).note
    assert verify_checkpoint(note, Trust((SUCCESSOR.key,))).checkpoint.size == 3


async def test_without_a_key_in_force_what_is_published_stays_and_alarms() -> None:
    county = County(keys=LogKeys([LogKey(LOG_SIGNER, None, START + timedelta(days=20))]))
    await county.grow(3)
    await county.publisher.step()
    county.clock.at = START + timedelta(days=20)
    await county.grow(3)
    county.clock.advance(timedelta(seconds=61))
    await county.publisher.step()
    assert await county.published_size() == 3
    assert county.alarms == [("checkpoint_age", f"{ORIGIN} 3")]


def test_keys_sign_in_their_time_alone() -> None:
    keys = rotation()

    def names(day: float) -> list[bytes]:
        return [each.key.key_id for each in keys.in_force(START + timedelta(days=day))]

    before, after = LOG_SIGNER.key.key_id, SUCCESSOR.key.key_id
    assert [names(9.9), names(10), names(19.9), names(20)] == [
        [before],
        [before, after],
        [before, after],
        [after],
    ]
    with pytest.raises(NoLogKeyError):
        LogKeys([LogKey(SUCCESSOR, START)]).in_force(START - timedelta(seconds=1))
    with pytest.raises(LogKeyError):
        LogKeys([LogKey(LOG_SIGNER), LogKey(Signer("another", private_key("log")))])
    with pytest.raises(LogKeyError):
        LogKeys([LogKey(LOG_SIGNER), LogKey(LOG_SIGNER, START)])


async def hourly_checkpoints(stores: Stores, hours: int) -> None:
    """Each of another tree, under lock, signed by the key that is in force now."""
    for _ in range(hours):
        await stores.arrive(accesses(1))
        await stores.sequence()
        await stores.archive.step()
        stores.clock.advance(timedelta(hours=1))


def watching(stores: Stores, trust: Trust) -> IndexWatch:
    return IndexWatch(
        progress=stores.progress,
        log=stores.log,
        entries=stores.entries,
        files=stores.files,
        objects=stores.objects,
        tags=stores.tags,
        alarms=stores.alarms,
        trust=trust,
        clock=stores.clock,
    )


@pytest.mark.parametrize("told_by", ["policy", "key file"])
async def test_checkpoints_of_a_key_that_was_taken_out_of_the_file_are_still_the_logs(
    tmp_path: Path, told_by: str
) -> None:
    stores = in_memory()
    await hourly_checkpoints(stores, 30)
    file, policy_file = tmp_path / "keys", tmp_path / "policy"
    document: dict[str, object] = {"name": ORIGIN, "private": seed("successor")}
    if told_by == "key file":
        document["retired"] = [str(LOG_SIGNER.key)]
    file.write_text(json.dumps(document))
    keys = read_log_keys(file)
    named: tuple[VerifierKey, ...] = ()
    if told_by == "policy":
        policy_file.write_text(f"log {LOG_SIGNER.key}\nlog {SUCCESSOR.key}\nquorum none\n")
        named = read_policy(policy_file, keys).log_keys
    assert [each.key for each in keys.in_force(START)] == [SUCCESSOR.key]
    watch = watching(stores, Trust(keys.ever(named)))
    for _ in range(40):
        await watch.step()
    assert stores.alarms.raised == []
    # They are compared: the same signature under another tree is told.
    forged = Checkpoint(ORIGIN, 5, bytes(32)).sign([LOG_SIGNER])
    unknown = Checkpoint(ORIGIN, 5, bytes(32)).sign([Signer(ORIGIN, private_key("stranger"))])
    for hour, note in ((20, forged), (21, unknown)):
        path = f"checkpoint/2026/03/01T{hour}"
        await stores.objects.put_new(path, str(note).encode(), "text/plain", START)
    for _ in range(40):
        await watch.step()
    assert stores.alarms.raised == [
        ("tree_mismatch", "checkpoint/2026/03/01T20"),
        ("tree_mismatch", "checkpoint/2026/03/01T21"),
    ]


def test_another_logs_key_in_the_policy_vouches_for_nothing_here() -> None:
    keys, other = LogKeys([LogKey(SUCCESSOR)]), Signer("another", private_key("log"))
    assert keys.ever([other.key, SUCCESSOR.key]) == (SUCCESSOR.key,)


def seed(name: str) -> str:
    return encode_base64(private_key(name).private_bytes_raw())


def test_the_key_file_holds_one_key_or_several(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(json.dumps({"name": ORIGIN, "private": seed("log")}))
    assert [each.signer.key for each in read_log_keys(file).all] == [LOG_SIGNER.key]
    keys = [
        {"private": seed("log"), "until": "2026-04-01T00:00:00Z"},
        {"private": seed("successor"), "from": "2026-03-15T00:00:00-04:00"},
    ]
    file.write_text(json.dumps({"name": ORIGIN, "keys": keys}))
    read = read_log_keys(file)
    assert [each.signer.key for each in read.all] == [LOG_SIGNER.key, SUCCESSOR.key]
    assert [(each.since is None, each.until is None) for each in read.all] == [
        (True, False),
        (False, True),
    ]


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"name": ORIGIN},
        {"name": ORIGIN, "keys": []},
        {"name": ORIGIN, "private": "secret"},
        {"name": "a b", "private": seed("log")},
        {"name": ORIGIN, "keys": [{"private": seed("log"), "until": "2026-04-01T00:00:00"}]},
        {"name": ORIGIN, "keys": [{"private": seed("log"), "until": "spring"}]},
        {"name": ORIGIN, "keys": [{"private": seed("log")}, {"private": seed("log")}]},
        {"name": ORIGIN, "private": seed("log"), "retired": [str(LOG_SIGNER.key)]},
        {"name": ORIGIN, "private": seed("log"), "retired": [str(COSIGNERS["a"].key)]},
        {"name": ORIGIN, "private": seed("log"), "retired": ["secret"]},
        {"name": ORIGIN, "private": seed("log"), "retired": 1},
        {"name": ORIGIN, "keys": [], "retired": [str(LOG_SIGNER.key)]},
    ],
    ids=range(14),
)
def test_a_bad_key_file_is_told_at_the_start_and_not_repeated(
    tmp_path: Path, document: object
) -> None:
    file = tmp_path / "keys"
    file.write_text(json.dumps(document))
    with pytest.raises(LogKeyError) as error:
        read_log_keys(file)
    assert "secret" not in str(error.value)


def test_a_policy_that_cannot_work_is_told_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "policy"

    def read(text: str) -> Policy:
        file.write_text(text)
        return read_policy(file, LOG_KEYS)

    witness = f"witness a {COSIGNERS['a'].key}"
    assert read(f"log {LOG_SIGNER.key}\n{witness} http://a\nquorum a\n").witnesses
    assert read(f"{witness} http://a\nquorum a\n").log_keys == ()
    with pytest.raises(LogKeyError, match="does not name"):
        read(f"log {SUCCESSOR.key}\n{witness} http://a\nquorum a\n")
    with pytest.raises(LogKeyError, match="no address"):
        read(f"{witness}\nquorum a\n")
    with pytest.raises(PolicyError):
        read("")
