"""A legal process that came through the gateway: one write, everything sealed, nobody's word
taken."""

from collections.abc import Sequence
from typing import Any

import pytest

from direct311.retention.cases.domain import CaseContact, CaseFile
from direct311.retention.legal_process.handlers.submissions import (
    LegalRequest,
    LegalSubmissions,
    ReceivedRequest,
)
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.records import Write
from direct311.schemas import events as ev
from tests.unit.retention.cases.fakes import CaseDeskUnderTest, InMemoryCases
from tests.unit.retention.fakes import START, KilledError
from tests.unit.retention.legal_process.fakes import (
    AGENCY,
    CARLA,
    HASH,
    LARS,
    WARRANT,
    LegalOffice,
)

pytestmark = [pytest.mark.anyio, pytest.mark.policy("P18")]

INTAKE = Caller("svc:intake", roles=("service",), authentication="service")
KEY = "9b1d" * 16
WORDS = "Who reported the fire on Canary-Words Street."
OFFICER = CaseContact(
    name="Canary Officer", badge="4711", agency="Canary Police", phone="+1 305 555 0111"
)


class Office(CaseDeskUnderTest):
    """The county with its desk for law enforcement, and what comes through the gateway."""

    def __init__(self) -> None:
        super().__init__()
        self.legal = LegalOffice(self)
        cases = InMemoryCases(self.files)
        self.sending = LegalSubmissions(self.legal.desk, self.desk, cases)

    async def sent(self, key: str = KEY, **change: Any) -> ReceivedRequest:
        given: dict[str, Any] = {
            "instrument": "warrant",
            "words": WORDS,
            "officer": OFFICER,
            "document": WARRANT,
        }
        return await self.sending.submit(INTAKE, key, LegalRequest(**(given | change)))


@pytest.fixture
def office() -> Office:
    return Office()


async def test_receipt_hold_and_instrument_are_one_write(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[CaseFile] = []
    commit = office.files.commit

    async def noting(writes: Sequence[Write[CaseFile]]) -> set[str]:
        written.extend(each.state for each in writes)
        return await commit(writes)

    monkeypatch.setattr(office.files, "commit", noting)
    sent = await office.sent()
    # The write after it only says that the hold reaches the sets that are being ordered.
    stored, _ = written
    assert (stored.kind, stored.state, stored.channel) == ("law_enforcement", "received", "public")
    assert stored.provisional is not None
    assert (sent.received_at, sent.repeated) == (START, False)
    (document,) = stored.documents
    assert (document.kind, document.sha256, document.size) == ("instrument", HASH, len(WARRANT))
    assert stored.legal is not None
    # What the sender says about it decides nothing.
    assert (stored.legal.claimed, stored.legal.instrument, stored.legal.agency) == (
        "warrant",
        None,
        None,
    )


async def test_it_is_exempt_and_nothing_of_it_is_in_clear(office: Office) -> None:
    sent = await office.sent()
    told = [each.data for each in office.files.said(sent.case_id)]
    steps = [each for each in told if isinstance(each, ev.DisclosureRecorded)]
    assert [(each.step, each.exemption.exempt, each.codes) for each in steps] == [
        ("opened", True, ())
    ]
    stored = repr(office.files.state(sent.case_id)) + repr(told)
    for canary in ("Canary", "4711", "555 0111", KEY, WARRANT.decode()):
        assert canary not in stored
    assert all(WARRANT not in each for kept in office.documents.versions.values() for each in kept)


async def test_the_liaison_reads_it_and_nobody_else_knows_of_it(office: Office) -> None:
    sent = await office.sent()
    read = await office.desk.read_case(LARS, sent.case_id)
    assert (read.request, read.contact) == (WORDS, OFFICER)
    assert await office.desk.read_document(LARS, sent.case_id, HASH) == WARRANT
    assert not await office.desk.list_cases(CARLA, None, 10)
    with pytest.raises(RefusedError) as refused:
        await office.desk.read_case(CARLA, sent.case_id)
    assert refused.value.code == "unknown_case"


async def test_the_desk_calls_back_as_for_any_letter(office: Office) -> None:
    sent = await office.sent()
    await office.legal.called(sent.case_id)
    await office.legal.called(sent.case_id, "officer")
    state = office.files.state(sent.case_id)
    assert state.state == "verified"
    assert state.legal is not None
    assert (state.legal.instrument, state.legal.agency) == ("warrant", AGENCY)


async def test_nobody_asks_by_a_token_how_far_it_is(office: Office) -> None:
    sent = await office.sent()
    receipt = office.files.state(sent.case_id).public_receipt
    assert receipt is not None
    assert receipt.token_hashes == ()
    for token in ("", sent.case_id, KEY):
        with pytest.raises(RefusedError) as refused:
            await office.submissions.progress(token)
        assert refused.value.code == "unknown_case"


async def test_a_repeat_opens_one_case_and_another_request_needs_another_key(
    office: Office,
) -> None:
    first, again = await office.sent(), await office.sent()
    assert (first.case_id, again.repeated) == (again.case_id, True)
    changes: list[dict[str, Any]] = [
        {"instrument": "court_order"},
        {"words": "Other."},
        {"officer": CaseContact(name="Other")},
        {"document": b"another"},
    ]
    for change in changes:
        with pytest.raises(RefusedError) as refused:
            await office.sent(**change)
        assert refused.value.code == "idempotency_key"
    assert len(office.files.states()) == 1
    # The key of a request for records is another one.
    await office.submissions.submit(INTAKE, KEY, WORDS, None)
    assert len(office.files.states()) == 2


async def test_killed_before_the_write_a_repeat_opens_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(_: Sequence[Write[CaseFile]]) -> set[str]:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(office.files, "commit", killed)
        with pytest.raises(KilledError):
            await office.sent()
    assert not office.files.states()
    sent = await office.sent()
    assert await office.desk.read_document(LARS, sent.case_id, HASH) == WARRANT


async def test_a_letter_is_kept_as_a_letter_and_a_spoken_request_is_refused(
    office: Office,
) -> None:
    sent = await office.sent(instrument="consent")
    (document,) = office.files.state(sent.case_id).documents
    assert document.kind == "letter"
    unknown = await office.sent(key="ab12" * 16, instrument="not_in_force_yet")
    (document,) = office.files.state(unknown.case_id).documents
    assert document.kind == "instrument"
    for spoken in ("exigent_request", "internal_referral"):
        with pytest.raises(RefusedError) as refused:
            await office.sent(key="cd34" * 16, instrument=spoken)
        assert refused.value.code == "unlisted"


async def test_the_instrument_is_destroyed_with_the_case(office: Office) -> None:
    sent = await office.sent()
    assert [case for case, _ in office.documents.versions] == [sent.case_id]
    assert await office.documents.remove_all(sent.case_id) == (1, len(WARRANT) + 28)
