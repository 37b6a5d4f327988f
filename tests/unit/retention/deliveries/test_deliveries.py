"""A package for law enforcement, from collecting to the receipt: who does what, and who may not."""

import io
import json
import zipfile
from datetime import timedelta
from hashlib import sha256 as sha256_of

import pyrage
import pytest

from direct311.retention.case_file.legal import LegalScope
from direct311.retention.deliveries.domain import ALPHABET, hash_of, new_code, new_passphrase
from direct311.retention.recalls.handlers import Recalling
from direct311.runtime.access.ledger import AuditUnavailableError
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.schemas import events as ev
from tests.support.no_trace import WORDS, traces_in
from tests.unit.retention.deliveries.fakes import (
    BEARER,
    FIELDS,
    DeliveringDesk,
    Recipient,
    refused,
)
from tests.unit.retention.legal_process.fakes import AGENCY, COLE, DORA, LARS, OLGA
from tests.unit.retention.packages.fakes import CARLA, INTAKE

pytestmark = [pytest.mark.anyio, pytest.mark.policy("P18")]

OTTO = Caller("otto", ("records_officer",))


@pytest.fixture
def desk() -> DeliveringDesk:
    return DeliveringDesk()


async def test_a_warrant_ends_in_a_package_that_only_its_recipient_reads(
    desk: DeliveringDesk,
) -> None:
    case_id = await desk.under_warrant()
    assert desk.file(case_id).state == "granted"
    await desk.collecting(LARS, BEARER, case_id)
    assert desk.file(case_id).state == "minimising"
    sha256 = await desk.released(case_id)
    assert desk.file(case_id).state == "released"
    content = await desk.downloaded(await desk.told(case_id, sha256))
    plain = desk.recipient.decrypted(content)
    assert sha256_of(plain).hexdigest() == sha256
    with zipfile.ZipFile(io.BytesIO(plain)) as archive:
        names = archive.namelist()
        rows = json.loads(archive.read("exemption-log.json"))
    assert "data/records/record-0000.json" in names
    assert len(rows) == 1
    steps = [each.step for each in desk.steps(case_id) if isinstance(each, ev.DisclosureRecorded)]
    assert steps[-5:] == [
        "package_approval",
        "package_approval",
        "encrypted",
        "code_told",
        "downloaded",
    ]


async def test_the_owners_are_told_to_whom_it_goes(desk: DeliveringDesk) -> None:
    case_id = await desk.under_warrant()
    await desk.collecting(LARS, BEARER, case_id)
    said = [body for path, body, _, _ in desk.owners.asked if path.endswith("/rendering")]
    assert said == [{"recipient": "law_enforcement_agency"}] * 2


async def test_the_release_says_so_once_and_to_which_class_of_recipient(
    desk: DeliveringDesk,
) -> None:
    case_id = await desk.under_warrant()
    sha256 = await desk.released(case_id)
    await desk.releasing.release(OLGA, case_id, sha256)
    (out,) = [each for each in desk.steps(case_id) if isinstance(each, ev.DisclosureReleased)]
    assert (out.package, out.recipient) == (sha256, "law_enforcement_agency")
    assert (out.released_by, out.exemption.exempt) == ("olga", True)


async def test_three_people_are_needed_and_nobody_approves_their_own(
    desk: DeliveringDesk,
) -> None:
    case_id = await desk.under_warrant()
    sha256 = await desk.package_of(case_id)
    both = Caller("lars", ("liaison", "counsel", "records_officer"))
    assert await refused(desk.approve(case_id, sha256, both, sub="lars")) == "same_person"
    await desk.approve(case_id, sha256, COLE)
    officer = Caller("cole", ("records_officer",))
    assert (await desk.approve(case_id, sha256, officer, sub="cole")).state == "built"
    await desk.approve(case_id, sha256, OLGA)
    await desk.encrypted(case_id, sha256)
    for caller, code in (
        (LARS, "role"),
        (COLE, "role"),
        (officer, "same_person"),
        (both, "same_person"),
        (DORA, "unknown_case"),
        (CARLA, "unknown_case"),
    ):
        assert await refused(desk.releasing.release(caller, case_id, sha256)) == code, caller
    assert (await desk.releasing.release(OTTO, case_id, sha256))[1].state == "released"


async def test_nothing_is_released_that_is_not_encrypted(desk: DeliveringDesk) -> None:
    case_id = await desk.under_warrant()
    sha256 = await desk.package_of(case_id)
    for each in (COLE, OLGA):
        await desk.approve(case_id, sha256, each)
    assert await refused(desk.releasing.release(OLGA, case_id, sha256)) == "not_encrypted"
    assert await refused(desk.encrypting.look(OLGA, case_id, sha256)) == "not_encrypted"
    await desk.encrypted(case_id, sha256)
    # Who releases it sees to which key.
    assert (await desk.encrypting.look(OLGA, case_id, sha256)).key == desk.recipient.key
    assert await refused(desk.encrypting.look(CARLA, case_id, sha256)) == "unknown_case"


async def test_what_cannot_wait_goes_the_same_way_with_the_duty_officer(
    desk: DeliveringDesk,
) -> None:
    case_id = await desk.exigent()
    sha256 = await desk.package_of(case_id)
    assert await refused(desk.approve(case_id, sha256, COLE)) == "unknown_case"
    await desk.approve(case_id, sha256, DORA)
    await desk.encrypted(case_id, sha256)
    assert await refused(desk.releasing.release(OLGA, case_id, sha256)) == "unknown_case"
    assert (await desk.releasing.release(DORA, case_id, sha256))[1].state == "released"


async def test_a_code_opens_one_download(desk: DeliveringDesk) -> None:
    case_id = await desk.under_warrant()
    sha256 = await desk.released(case_id)
    first = await desk.told(case_id, sha256)
    second = await desk.told(case_id, sha256)
    assert await refused(desk.downloaded(first)) == "unknown_code"
    # As somebody typed it who heard it.
    heard = second.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert await desk.downloaded(heard)
    assert await refused(desk.downloaded(second)) == "unknown_code"
    assert await desk.downloaded(await desk.told(case_id, sha256))


async def test_a_recalled_package_is_not_handed_out(desk: DeliveringDesk) -> None:
    case_id = await desk.under_warrant()
    sha256 = await desk.released(case_id)
    code = await desk.told(case_id, sha256)
    await Recalling(desk.work)(OLGA, case_id, sha256, "wrong_record")
    assert await refused(desk.downloaded(code)) == "recalled"
    assert await refused(desk.codes.issue(LARS, case_id, sha256)) == "recalled"


async def test_what_was_recalled_and_built_again_is_encrypted_anew(desk: DeliveringDesk) -> None:
    case_id = await desk.under_warrant()
    sha256 = await desk.released(case_id)
    code = await desk.told(case_id, sha256)
    await Recalling(desk.work)(OLGA, case_id, sha256, "wrong_recipient")
    assert await desk.package_of(case_id) == sha256
    for each in (COLE, OLGA):
        await desk.approve(case_id, sha256, each)
    assert await refused(desk.releasing.release(OLGA, case_id, sha256)) == "not_encrypted"
    await desk.encrypted(case_id, sha256)
    await desk.releasing.release(OLGA, case_id, sha256)
    assert await refused(desk.downloaded(code)) == "unknown_code"
    assert await desk.downloaded(await desk.told(case_id, sha256))


async def test_a_code_ends_after_a_day_and_a_forged_one_opens_nothing(
    desk: DeliveringDesk,
) -> None:
    case_id = await desk.under_warrant()
    sha256 = await desk.released(case_id)
    code = await desk.told(case_id, sha256)
    assert await refused(desk.downloaded(new_code())) == "unknown_code"
    desk.clock.at += timedelta(hours=24)
    assert await refused(desk.downloaded(code)) == "unknown_code"


async def test_the_code_is_read_out_at_the_published_number(desk: DeliveringDesk) -> None:
    case_id = await desk.under_warrant()
    sha256 = await desk.released(case_id)
    told = await desk.codes.issue(LARS, case_id, sha256)
    assert (told.agency.agency, told.agency.number) == (AGENCY, "+1 305 555 0142")
    assert told.code not in repr(told)
    # Only its hash is kept.
    assert told.code not in str(desk.file(case_id).model_dump())
    assert hash_of(told.code) in str(desk.file(case_id).model_dump())


async def test_without_the_log_nothing_is_opened_and_the_code_stays_good(
    desk: DeliveringDesk,
) -> None:
    case_id = await desk.under_warrant()
    sha256 = await desk.released(case_id)
    code = await desk.told(case_id, sha256)
    desk.access_log.down = True
    with pytest.raises(AuditUnavailableError):
        await desk.downloaded(code)
    desk.access_log.down = False
    assert await desk.downloaded(code)
    event = desk.access_log.events()[-1]
    assert (event.action, event.recipient) == ("export", "law_enforcement_agency")
    assert event.retention.exempt_until == desk.file(case_id).exempt_until


async def test_the_recipient_gives_a_receipt_with_the_code_that_opened_it(
    desk: DeliveringDesk,
) -> None:
    case_id = await desk.under_warrant()
    sha256 = await desk.released(case_id)
    code = await desk.told(case_id, sha256)
    assert await refused(desk.receipts.give(INTAKE, code, "SPD-7")) == "unknown_code"
    await desk.downloaded(code)
    for _ in range(2):
        await desk.receipts.give(INTAKE, code, "SPD-7")
    assert desk.file(case_id).state == "receipted"
    (link,) = await desk.legal.custody.chain(LARS, case_id)
    assert (link.link.how, link.link.sha256, link.link.receipt, link.taken_by) == (
        "encrypted_transfer",
        sha256,
        "SPD-7",
        None,
    )
    assert await refused(desk.receipts.give(INTAKE, code, "SPD-8")) == "receipted"
    assert await refused(desk.codes.issue(LARS, case_id, sha256)) == "case_state"
    closed = await desk.desk.close(LARS, case_id, "full")
    assert (closed.state, closed.outcome) == ("closed", "full")


async def test_a_receipt_on_the_telephone_is_recorded_by_the_liaison(
    desk: DeliveringDesk,
) -> None:
    case_id = await desk.under_warrant()
    sha256 = await desk.released(case_id)
    custody = desk.legal.custody
    # Something else was handed over: no receipt for the package.
    await custody.hand_over(LARS, case_id, "in_person", "0" * 64, "SPD-1", "Det. Sample")
    assert desk.file(case_id).state == "released"
    await desk.downloaded(await desk.told(case_id, sha256))
    for _ in range(2):
        await custody.hand_over(LARS, case_id, "in_person", sha256, "SPD-2", "Det. Sample")
    assert desk.file(case_id).state == "receipted"
    chain = await custody.chain(LARS, case_id)
    assert [(each.link.how, each.link.receipt, each.taken_by) for each in chain] == [
        ("in_person", "SPD-1", "Det. Sample"),
        ("encrypted_transfer", "SPD-2", "Det. Sample"),
    ]


async def test_a_narrowed_scope_collects_again_and_an_old_approval_releases_nothing(
    desk: DeliveringDesk,
) -> None:
    case_id = await desk.under_warrant()
    sha256 = await desk.package_of(case_id)
    for each in (COLE, OLGA):
        await desk.approve(case_id, sha256, each)
    await desk.encrypted(case_id, sha256)
    narrow = LegalScope(record_ids=("record-0000",), fields=("phone",))
    await desk.legal.scope(case_id, narrow, by=COLE)
    state = desk.file(case_id)
    assert (state.state, state.packages.parts) == ("collecting", ())
    assert await refused(desk.releasing.release(OLGA, case_id, sha256)) == "package_hash"
    assert await refused(desk.collecting(LARS, BEARER, case_id)) == "no_grant"


async def test_a_narrowed_scope_takes_back_what_nobody_has_downloaded(
    desk: DeliveringDesk,
) -> None:
    case_id = await desk.under_warrant()
    sha256 = await desk.released(case_id)
    code = await desk.told(case_id, sha256)
    await desk.legal.scope(case_id, LegalScope(record_ids=("record-0000",), fields=FIELDS), by=COLE)
    assert await refused(desk.downloaded(code)) == "unknown_code"


async def test_while_somebody_objects_nothing_moves(desk: DeliveringDesk) -> None:
    case_id = await desk.under_warrant()
    sha256 = await desk.package_of(case_id)
    await desk.approve(case_id, sha256, COLE)
    await desk.legal.scopes.object(COLE, case_id, "privilege")
    version = desk.file(case_id).version
    for call in (
        desk.collecting(LARS, BEARER, case_id),
        desk.building(LARS, BEARER, case_id, version),
        desk.approve(case_id, sha256, OLGA),
        desk.encrypted(case_id, sha256),
        desk.releasing.release(OLGA, case_id, sha256),
    ):
        assert await refused(call) == "objection"
    await desk.legal.scopes.settle(COLE, case_id, "privilege")
    await desk.approve(case_id, sha256, OLGA)
    await desk.encrypted(case_id, sha256)
    await desk.releasing.release(OLGA, case_id, sha256)
    code = await desk.told(case_id, sha256)
    await desk.legal.scopes.object(COLE, case_id, "motion_to_quash")
    assert await refused(desk.downloaded(code)) == "unknown_code"
    assert await refused(desk.codes.issue(LARS, case_id, sha256)) == "objection"


async def test_a_passphrase_is_said_once_and_a_new_one_voids_it(desk: DeliveringDesk) -> None:
    case_id = await desk.under_warrant()
    sha256 = await desk.package_of(case_id)
    first = await desk.encrypted(case_id, sha256, None)
    second = await desk.encrypted(case_id, sha256, None)
    assert first.passphrase
    assert second.passphrase
    assert first.passphrase != second.passphrase
    assert second.passphrase not in repr(second) + str(desk.file(case_id).model_dump())
    for each in (COLE, OLGA):
        await desk.approve(case_id, sha256, each)
    await desk.releasing.release(OLGA, case_id, sha256)
    content = await desk.downloaded(await desk.told(case_id, sha256))
    with pytest.raises(pyrage.DecryptError):
        pyrage.passphrase.decrypt(content, first.passphrase)
    plain = pyrage.passphrase.decrypt(content, second.passphrase)
    assert sha256_of(plain).hexdigest() == sha256


async def test_the_same_key_again_changes_nothing_and_another_one_voids_it(
    desk: DeliveringDesk,
) -> None:
    case_id = await desk.under_warrant()
    sha256 = await desk.released(case_id)
    code = await desk.told(case_id, sha256)
    version = desk.file(case_id).version
    await desk.encrypted(case_id, sha256)
    assert desk.file(case_id).version == version
    another = Recipient()
    await desk.encrypted(case_id, sha256, another.key)
    assert await refused(desk.downloaded(code)) == "unknown_code"
    content = await desk.downloaded(await desk.told(case_id, sha256))
    assert another.decrypted(content)


@pytest.mark.parametrize(
    "key", ["", "age1", "age1canary", "AGE-SECRET-KEY-1CANARY", "ssh-ed25519 AAAA", "age1" * 40]
)
async def test_what_is_no_key_is_refused_without_repeating_it(
    desk: DeliveringDesk, key: str
) -> None:
    case_id = await desk.under_warrant()
    sha256 = await desk.package_of(case_id)
    with pytest.raises(RefusedError) as refusal:
        await desk.encrypting(LARS, case_id, sha256, key)
    assert refusal.value.code == "recipient_key"
    assert "canary" not in str(refusal.value).casefold()


async def test_a_package_for_the_public_is_not_encrypted(desk: DeliveringDesk) -> None:
    case_id = await desk.granted(1)
    await desk.collected(case_id)
    sha256 = await desk.built(case_id)
    with pytest.raises(RefusedError) as refusal:
        await desk.encrypting(CARLA, case_id, sha256, desk.recipient.key)
    assert refusal.value.code == "case_kind"


async def test_what_everybody_hears_of_it_names_no_agency_outside_the_register(
    desk: DeliveringDesk,
) -> None:
    case_id = await desk.under_warrant()
    sha256 = await desk.released(case_id)
    await desk.downloaded(await desk.told(case_id, sha256))
    for each in desk.steps(case_id):
        assert each.exemption.exempt
    # A requester's download and an officer's are the same operation of the same service.
    event = desk.access_log.events()[-1]
    assert traces_in({"operation": event.where.operation}, (*WORDS, AGENCY)) == []
    assert (event.agent.id, event.why.purpose) == ("svc:intake", "county_business")


def test_codes_and_passphrases_can_be_read_out() -> None:
    for made, length in ((new_code(), 20), (new_passphrase(), 28)):
        groups = made.split("-")
        assert {len(each) for each in groups} == {4}
        assert set("".join(groups)) <= set(ALPHABET)
        assert len("".join(groups)) == length
    assert hash_of("o0iL-1") == hash_of("00111".upper())
