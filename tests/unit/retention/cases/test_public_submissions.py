"""A request that somebody sent through the gateway: one write, no name, a token that only its
requester has."""

from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256

import pytest

from direct311.retention.cases.domain import MOST_TOKENS, CaseContact, CaseFile
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.records import Write
from tests.unit.retention.cases.fakes import CaseDeskUnderTest
from tests.unit.retention.fakes import START, KilledError

pytestmark = pytest.mark.anyio

INTAKE = Caller("svc:intake", roles=("service",), authentication="service")
CUSTODIAN = Caller("carla", ("custodian",), token_id="t-1")
KEY = "9b1d" * 16
WORDS = "Every complaint about Canary-Words Street."
CONTACT = CaseContact(email="canary@contact.example")
LETTER = b"canary letter"


@pytest.fixture
def county() -> CaseDeskUnderTest:
    return CaseDeskUnderTest()


async def test_receipt_hold_and_acknowledgement_are_one_write(
    county: CaseDeskUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[CaseFile] = []
    commit = county.files.commit

    async def noting(writes: Sequence[Write[CaseFile]]) -> set[str]:
        written.extend(each.state for each in writes)
        return await commit(writes)

    monkeypatch.setattr(county.files, "commit", noting)
    sent = await county.submissions.submit(INTAKE, KEY, WORDS, None)
    # The write after it only says that the hold reaches the sets that are being ordered.
    stored, _ = written
    assert (stored.version, stored.state, stored.channel) == (1, "acknowledged", "public")
    assert stored.provisional is not None
    assert stored.provisional.bounds is None
    assert (stored.kind, stored.opened_by) == ("public_records", "svc:intake")
    assert stored.received_at == sent.received_at == START
    assert not county.access_log.entries


async def test_neither_the_words_nor_token_and_key_are_stored(county: CaseDeskUnderTest) -> None:
    sent = await county.submissions.submit(INTAKE, KEY, WORDS, CONTACT)
    stored = repr(county.files.state(sent.case_id))
    for canary in ("Canary-Words", "canary@contact", KEY, sent.token):
        assert canary not in stored
    assert sha256(sent.token.encode()).hexdigest() in stored
    # 256 bits in base64 without padding.
    assert len(sent.token) == 43


async def test_the_custodian_reads_it_like_any_case(county: CaseDeskUnderTest) -> None:
    sent = await county.submissions.submit(INTAKE, KEY, WORDS, CONTACT)
    read = await county.desk.read_case(CUSTODIAN, sent.case_id)
    assert (read.request, read.contact) == (WORDS, CONTACT)


async def test_the_state_says_age_and_days_without_an_act(county: CaseDeskUnderTest) -> None:
    sent = await county.submissions.submit(INTAKE, KEY, WORDS, CONTACT)
    county.clock.at = START + timedelta(days=4, hours=23)
    waiting = await county.submissions.progress(sent.token)
    assert (waiting.age_days, waiting.days_without_act, waiting.last_step) == (4, 4, "received")
    await county.desk.deposit(CUSTODIAN, sent.case_id, "letter", sha256(LETTER).hexdigest(), LETTER)
    county.clock.at += timedelta(days=2)
    after = await county.submissions.progress(sent.token)
    assert (after.age_days, after.days_without_act) == (6, 2)
    assert after.last_step == "document_added"
    fetched = len(county.keys.fetches)
    await county.desk.withdraw(CUSTODIAN, sent.case_id)
    closed = await county.submissions.progress(sent.token)
    assert (closed.state, closed.outcome, closed.last_step) == ("closed", "withdrawn", "closed")
    # Nothing was opened for it, and nobody is named.
    assert len(county.keys.fetches) == fetched
    assert "carla" not in repr((waiting, after, closed))


async def test_wrong_token_and_destroyed_case_get_the_same_answer(
    county: CaseDeskUnderTest,
) -> None:
    sent = await county.submissions.submit(INTAKE, KEY, WORDS, None)
    by_hand = await county.desk.open_case(CUSTODIAN, "public_records", WORDS, None, None)
    answers = []
    for token in ("", "wrong", sent.token[:-1], by_hand.record_id, sent.case_id):
        with pytest.raises(RefusedError) as refused:
            await county.submissions.progress(token)
        answers.append((refused.value.code, refused.value.detail))
    state = county.files.state(sent.case_id)
    await county.files.put(state.destruction_ordered("o-1"), county.clock.now())
    with pytest.raises(RefusedError) as refused:
        await county.submissions.progress(sent.token)
    answers.append((refused.value.code, refused.value.detail))
    assert len(set(answers)) == 1


async def test_only_the_newest_tokens_of_a_repeated_request_are_good(
    county: CaseDeskUnderTest,
) -> None:
    sent = [await county.submissions.submit(INTAKE, KEY, WORDS, None) for _ in range(7)]
    assert len({each.case_id for each in sent}) == 1
    assert [each.repeated for each in sent] == [False] + [True] * 6
    good = []
    for each in sent:
        try:
            good.append((await county.submissions.progress(each.token)).case_id)
        except RefusedError:
            assert not good
    assert len(good) == MOST_TOKENS


async def test_the_key_of_another_request_is_refused(county: CaseDeskUnderTest) -> None:
    sent = await county.submissions.submit(INTAKE, KEY, WORDS, None)
    before = county.files.state(sent.case_id)
    for words, contact in (("Other words.", None), (WORDS, CONTACT)):
        with pytest.raises(RefusedError) as refused:
            await county.submissions.submit(INTAKE, KEY, words, contact)
        assert refused.value.code == "idempotency_key"
    assert county.files.state(sent.case_id) == before


async def test_no_desk_is_needed_only_with_a_public_receipt(county: CaseDeskUnderTest) -> None:
    with pytest.raises(RefusedError) as refused:
        await county.desk.open_case(INTAKE, "public_records", WORDS, None, None)
    assert refused.value.code == "desk"


async def test_a_repeat_after_a_kill_stops_destruction_as_the_first_call_would_have(
    county: CaseDeskUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(_: str) -> CaseFile:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(county.preservation, "opened", killed)
        with pytest.raises(KilledError):
            await county.submissions.submit(INTAKE, KEY, WORDS, None)
    fence = county.retention.holds.fence
    sent = await county.submissions.submit(INTAKE, KEY, WORDS, None)
    assert sent.repeated
    assert county.retention.holds.fence > fence
    provisional = county.files.state(sent.case_id).provisional
    assert provisional is not None
    assert provisional.state == "in_force"
