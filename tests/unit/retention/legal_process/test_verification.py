"""Is the instrument genuine, and is the officer one? Before that nothing is opened."""

from hashlib import sha256
from typing import Any

import pytest

from direct311.retention.case_file.legal import LegalScope
from direct311.retention.legal_process.handlers.verification import CallMade
from direct311.runtime.errors import RefusedError
from direct311.schemas import events as ev
from tests.unit.retention.cases.fakes import CaseDeskUnderTest
from tests.unit.retention.legal_process.fakes import (
    AGENCY,
    CARLA,
    COLE,
    DORA,
    HASH,
    LARS,
    LegalOffice,
)

pytestmark = pytest.mark.anyio

CONTACT = LegalScope(record_ids=("r1",), fields=("phone",))


@pytest.fixture
def office() -> LegalOffice:
    return LegalOffice(CaseDeskUnderTest())


async def refused(code: str, ask: Any) -> None:
    with pytest.raises(RefusedError) as error:
        await ask
    assert error.value.code == code


def steps(office: LegalOffice, case_id: str) -> list[Any]:
    said = [each.data for each in office.county.files.said(case_id)]
    return [each for each in said if isinstance(each, ev.DisclosureRecorded)]


async def test_the_instrument_and_the_officer_are_confirmed_by_calls_of_their_own(
    office: LegalOffice,
) -> None:
    case_id = await office.opened()
    assert (await office.called(case_id)).state == "verifying"
    done = await office.called(case_id, "officer")
    assert done.state == "verified"
    assert done.legal is not None
    assert [(each.subject, each.called_by) for each in done.legal.calls] == [
        ("instrument", "lars"),
        ("officer", "lars"),
    ]
    assert done.legal.calls[0].called_at == office.county.clock.now()
    told = [(each.step, each.state, each.codes) for each in steps(office, case_id)[-2:]]
    assert told == [
        ("called_back", "verifying", ("instrument", "warrant", AGENCY, "confirmed")),
        ("called_back", "verified", ("officer", "warrant", AGENCY, "confirmed")),
    ]
    assert steps(office, case_id)[-1].hashes == {"instrument": HASH}


async def test_two_calls_about_the_officer_do_not_verify_the_instrument(
    office: LegalOffice,
) -> None:
    case_id = await office.opened()
    await office.called(case_id, "officer")
    office.county.clock.at = office.county.clock.now().replace(minute=59)
    assert (await office.called(case_id, "officer", outcome="no_answer")).state == "verifying"
    await refused("unverified_instrument", office.scope(case_id, CONTACT, CONTACT))


async def test_nobody_answers_so_nothing_is_verified(office: LegalOffice) -> None:
    case_id = await office.opened()
    await office.called(case_id, "officer")
    assert (await office.called(case_id, outcome="no_answer")).state == "verifying"
    assert (await office.called(case_id)).state == "verified"


async def test_what_one_agency_confirms_does_not_count_for_another(office: LegalOffice) -> None:
    case_id = await office.opened()
    await office.called(case_id)
    other = await office.called(case_id, "officer", agency="sample_state_attorney")
    assert other.state == "verifying"
    assert (await office.called(case_id, agency="sample_state_attorney")).state == "verified"


async def test_what_is_confirmed_of_one_document_does_not_count_for_another(
    office: LegalOffice,
) -> None:
    case_id = await office.opened()
    forged = await office.deposited(case_id, b"another warrant")
    await office.called(case_id)
    await office.called(case_id, document=forged, outcome="no_answer")
    assert (await office.called(case_id, "officer")).state == "verifying"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("instrument", {"instrument": "napkin"}),
        ("agency", {"agency": "number_in_the_letter"}),
        ("document", {"document": None}),
        ("document", {"document": "0" * 64}),
        ("another_way", {"instrument": "exigent_request"}),
        ("another_way", {"instrument": "internal_referral", "subject": "officer"}),
        ("follow_up", {"subject": "follow_up"}),
        ("changed", {"version": 1}),
    ],
)
async def test_a_call_about_what_is_in_no_list_or_in_no_file_is_refused(
    office: LegalOffice, code: str, said: dict[str, Any]
) -> None:
    case_id = await office.opened()
    await refused(code, office.called(case_id, **said))
    assert office.case(case_id).state == "received"


async def test_a_letter_is_no_warrant(office: LegalOffice) -> None:
    case_id = await office.opened()
    letter = b"please"
    digest = sha256(letter).hexdigest()
    await office.county.desk.deposit(LARS, case_id, "letter", digest, letter)
    await refused("document", office.called(case_id, document=digest))


async def test_a_call_in_the_future_is_refused(office: LegalOffice) -> None:
    case_id = await office.opened()
    later = office.county.clock.now().replace(year=2099)
    await refused("called_at", office.called(case_id, called_at=later))


async def test_the_same_call_is_recorded_once(office: LegalOffice) -> None:
    case_id = await office.opened()
    version = office.case(case_id).version
    for _ in range(3):
        await office.called(case_id, version=version)
    legal = office.case(case_id).legal
    assert legal is not None
    assert len(legal.calls) == 1


async def test_a_refusal_has_a_code_of_the_list_and_is_told_once(office: LegalOffice) -> None:
    case_id = await office.opened()
    await refused("unlisted", office.verification.refuse(LARS, case_id, "bad_mood"))
    state = await office.verification.refuse(LARS, case_id, "too_broad")
    assert await office.verification.refuse(LARS, case_id, "too_broad") == state
    assert state.state == "refused"
    assert [each.codes for each in steps(office, case_id) if each.step == "refused"] == [
        ("too_broad",)
    ]
    await refused("case_state", office.called(case_id))


async def test_what_was_granted_is_not_refused_afterwards(office: LegalOffice) -> None:
    case_id = await office.opened()
    await office.scoped(case_id, CONTACT)
    await office.verification.refuse(LARS, case_id, "too_broad")
    await refused("case_state", office.verification.refuse(LARS, case_id, "expired"))


async def test_for_another_desk_there_is_no_such_case(office: LegalOffice) -> None:
    case_id = await office.opened()
    own = (await office.county.desk.open_case(CARLA, "public_records", "w", None, None)).record_id
    made = CallMade(1, "officer", "warrant", AGENCY, "confirmed")
    for caller, number in ((CARLA, case_id), (LARS, own), (CARLA, own), (DORA, case_id)):
        for ask in (
            office.verification.called_back(caller, number, made),
            office.verification.refuse(caller, number, "too_broad"),
            office.scopes.scope(caller, number, 1, CONTACT, CONTACT),
            office.scopes.object(caller, number, "burden"),
            office.secrecy.end(caller, number),
            office.custody.hand_over(caller, number, "courier", HASH, "R-1", "somebody"),
            office.custody.chain(caller, number),
            office.verification.state_threat(caller, number, 1, AGENCY, "life", "words"),
            office.verification.read_threat(caller, number),
            office.desk.granted(caller, number),
        ):
            await refused("unknown_case", ask)
    # Counsel knows of cases of law enforcement, and of no others here.
    await refused("unknown_case", office.scopes.object(COLE, own, "burden"))
    await refused("unknown_case", office.verification.refuse(COLE, case_id, "too_broad"))
