"""An owner accepts, keeps and checks again what retention says about disclosure cases."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from direct311.runtime.access.cases import AccessCase
from direct311.runtime.access.disclosures import (
    MOST_CHECKED,
    Disclosures,
    nonce_of_grant,
    nonce_of_package,
    under_case,
)
from direct311.runtime.access.fresh_sign_in import Approvals
from direct311.runtime.access.grants import CaseGrant
from direct311.runtime.access.ledger import Access, AuditUnavailableError
from direct311.runtime.access.provider_keys import Watching
from direct311.runtime.access.rules import Caller, RecordFacts, load_access_policy
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.messaging.signing import KeptEvent, Principals, Signer
from direct311.schemas import Encoded, Event
from direct311.schemas import events as ev
from direct311.schemas.model import Model
from direct311.schemas.secrecy import NO_END, DelayedNotice
from tests.support.disclosures import (
    CASE,
    CLIENT,
    DAY,
    GRANT,
    ISSUER,
    RECORD,
    Office,
    Provider,
    bytes_changed,
    grant,
    provider_key,
    received,
)
from tests.support.runtime import NOW

pytestmark = pytest.mark.anyio

POLICY = load_access_policy()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def office() -> Office:
    return Office()


async def only(office: Office) -> CaseGrant:
    (found,) = await office.owner.grants(CASE)
    return found


async def accepted(office: Office, data: ev.DisclosureApproved | None = None) -> str:
    """The id of a grant's event, which the owner took."""
    message = office.message(data or office.approved())
    assert await office.say(message) == []
    return message.headers["ce_id"]


# ---------------------------------------------------------------- a grant


async def test_a_grant_is_kept_with_all_that_it_says(office: Office) -> None:
    await accepted(office)
    found = await only(office)
    assert (found.case_id, found.grant_id, found.kind) == (CASE, GRANT, "public_records")
    assert found.record_ids == {RECORD}
    assert found.fields == {"description", "phone", "person_index", "media_original"}
    assert found.searches == {"person": 2}
    assert found.workers == {"lia"}
    assert found.prepared_by == "lia"
    assert found.approvers == ("counsel-carla",)
    assert (found.valid_until, found.revoked, found.exempt_until) == (NOW + DAY, False, None)


async def test_of_another_case_there_is_none(office: Office) -> None:
    await accepted(office)
    assert await office.owner.grants("case-2") == ()


async def test_a_repeated_event_changes_nothing(office: Office) -> None:
    message = office.message(office.approved())
    assert await office.say(message, message) == []
    assert len(await office.owner.grants(CASE)) == 1


async def test_what_approvers_sign_is_what_the_event_says(office: Office) -> None:
    """The hash is of the bytes in the event, whichever version of the schema wrote them."""
    data = office.approved()
    message = office.message(data)
    body = message.body.replace(b'"fields":', b'"a_later_restriction":true,"fields":')
    signed = office.signer.sign(Encoded(message.topic, message.key, message.headers, body))
    (error,) = await office.say(signed)
    assert "something else" in str(error)


async def test_two_people_may_approve_one_after_the_other(office: Office) -> None:
    given = grant()
    nonce = nonce_of_grant(given)
    first = office.provider.approval("carla", nonce, NOW)
    office.clock.at += timedelta(hours=3)
    second = office.provider.approval("olga", nonce, office.clock.now())
    await accepted(office, office.approved(given, approvals=(first, second)))
    assert (await only(office)).approvers == ("carla", "olga")


# ---------------------------------------------------------------- what is no grant


@pytest.mark.parametrize(
    ("by", "why"),
    [
        (("lia",), "prepared it"),
        (("LIA",), "prepared it"),
        (("carla", "lia"), "prepared it"),
        (("carla", "carla"), "twice by one person"),
        (("carla", "Carla"), "twice by one person"),
    ],
)
async def test_nobody_approves_their_own_or_twice(
    office: Office, by: tuple[str, ...], why: str
) -> None:
    (error,) = await office.say(office.approved(None, *by))
    assert why in str(error)
    assert await office.owner.grants(CASE) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"record_ids": ("record-2",)},
        {"fields": ("email",)},
        {"workers": ("lia", "vera")},
        {"valid_until": NOW + 2 * DAY},
        {"searches": (ev.GrantedSearch(kind="person", number=3),)},
        {"prepared_by": "vera"},
    ],
)
async def test_what_nobody_approved_is_no_grant(office: Office, changes: dict[str, Any]) -> None:
    """Retention, taken over, changes what a person signed for."""
    approved = office.approved()
    changed = approved.model_copy(update={"grant": grant(**changes)})
    (error,) = await office.say(changed)
    assert "something else" in str(error)
    assert await office.owner.grants(CASE) == ()


async def test_an_approval_with_a_key_that_is_not_the_providers_is_none(office: Office) -> None:
    given, forger = grant(), Provider()
    forged = forger.approval("carla", nonce_of_grant(given), NOW)
    (error,) = await office.say(office.approved(given, approvals=(forged,)))
    assert "does not publish" in str(error)
    assert await office.owner.grants(CASE) == ()


async def test_an_approval_of_yesterday_is_none(office: Office) -> None:
    stale = office.approved()
    office.clock.at += DAY
    (error,) = await office.say(office.message(stale))
    assert "when the last person" in str(error)


async def test_an_approval_before_the_grant_was_prepared_is_none(office: Office) -> None:
    (error,) = await office.say(office.approved(grant(prepared_at=NOW + timedelta(minutes=2))))
    assert "before it was prepared" in str(error)


async def test_without_a_client_for_approvals_nothing_is_granted(office: Office) -> None:
    message = office.message(office.approved())
    owner = Disclosures(
        office.store, Principals(office.trusted), None, office.provider, office.seen, office.clock
    )
    ((_, error),) = await owner.take([received(message)])
    assert "no client" in str(error)
    await office.say(message)
    assert len(await office.owner.grants(CASE)) == 1
    assert await owner.grants(CASE) == ()


async def test_a_grant_that_does_not_fit_into_the_log_is_none(office: Office) -> None:
    long = tuple(f"{number:064d}" for number in range(500))
    (error,) = await office.say(office.approved(grant(record_ids=long, file_ids=long)))
    assert "too long" in str(error)


async def test_while_the_provider_does_not_answer_the_event_waits(office: Office) -> None:
    message = office.message(office.approved())
    office.provider.answers = False
    with pytest.raises(TransientError):
        await office.say(message)
    assert office.store.kept == {}
    office.provider.answers = True
    assert await office.say(message) == []


async def test_the_end_of_a_grant_waits_for_nothing(office: Office) -> None:
    """Neither behind a grant that waits for the provider, nor behind one of its own case."""
    await accepted(office)
    office.provider.answers = False
    waiting = office.approved(grant(grant_id="grant-2"), version=2)
    with pytest.raises(TransientError):
        await office.say(waiting, office.revoked(version=3))
    assert (await only(office)).revoked


async def test_a_consumer_of_its_own_takes_the_ends_and_nothing_else(office: Office) -> None:
    await accepted(office)
    office.provider.answers = False
    batch = [
        received(office.message(each))
        for each in (office.approved(grant(grant_id="grant-2"), version=2), office.revoked())
    ]
    assert await office.owner.take_ends(batch) == []
    assert (await only(office)).revoked
    assert len(office.store.kept) == 2


async def test_other_cases_do_not_wait_and_what_follows_in_its_own_case_does(
    office: Office,
) -> None:
    office.provider.answers = False
    waiting = office.approved(exemption=noticed(30))
    elsewhere = office.recorded(1).model_copy(update={"case_id": "case-2"})
    with pytest.raises(TransientError):
        await office.say(waiting, office.recorded(2, noticed(60)), elsewhere)
    assert {each.case_id for each in office.store.kept.values()} == {"case-2"}
    office.provider.answers = True
    (error,) = await office.say(waiting, office.recorded(2, noticed(60)), elsewhere)
    assert "document" in str(error)


async def test_an_approval_with_a_key_that_is_new_since_the_service_asked_counts(
    office: Office,
) -> None:
    office.provider.known = [provider_key("idp-0")]
    await accepted(office)


async def test_an_approval_with_an_unknown_key_waits_until_the_provider_was_asked(
    office: Office,
) -> None:
    """Only an answer that is newer than the approval can say that the key is not published."""
    message = office.message(office.approved())
    office.provider.known, office.provider.answers = [provider_key("idp-0")], False
    with pytest.raises(TransientError):
        await office.say(message)
    office.provider.answers = True
    assert await office.say(message) == []


# ---------------------------------------------------------------- its end


async def test_a_revoked_grant_ends_at_once(office: Office) -> None:
    await accepted(office)
    await office.say(office.revoked())
    assert (await only(office)).revoked


async def test_the_end_may_arrive_before_the_grant(office: Office) -> None:
    await office.say(office.revoked())
    await accepted(office)
    assert (await only(office)).revoked


async def test_only_the_named_grant_ends(office: Office) -> None:
    await accepted(office)
    await accepted(office, office.approved(grant(grant_id="grant-2"), version=2))
    await office.say(office.revoked(version=3))
    found = await office.owner.grants(CASE)
    assert {each.grant_id: each.revoked for each in found} == {"grant-1": True, "grant-2": False}


async def test_if_nobody_can_tell_which_grant_ended_all_have(office: Office) -> None:
    await accepted(office)
    message = office.message(office.revoked(grant_id="grant-2"))
    await office.say(message)
    event_id = message.headers["ce_id"]
    office.store.edit(
        event_id, **bytes_changed(office.store.kept[event_id], b"grant-2", b"grant-3")
    )
    assert (await only(office)).revoked


# ---------------------------------------------------------------- exempt cases


async def test_the_newest_event_says_until_when_the_case_is_exempt(office: Office) -> None:
    def exempt(days: int) -> ev.CaseExemption:
        return ev.CaseExemption(exempt=True, until=NOW + days * DAY, code="119.071(2)(c)")

    await accepted(office, office.approved(exemption=exempt(30)))
    assert (await only(office)).exempt_until == NOW + 30 * DAY
    await office.say(office.recorded(3, exempt(60)), office.recorded(2, exempt(10)))
    assert (await only(office)).exempt_until == NOW + 60 * DAY
    await office.say(office.recorded(4))
    assert (await only(office)).exempt_until is None


def noticed(days: int, document: str = "a" * 64, dated: int = 0) -> ev.CaseExemption:
    """Exempt, because a document of that day delays the notice until so many days from now."""
    notice = DelayedNotice(document=document, dated_at=NOW + dated * DAY, until=NOW + days * DAY)
    return ev.CaseExemption(exempt=True, until=NOW + days * DAY, notice=notice)


async def test_only_another_document_prolongs_a_delayed_notice(office: Office) -> None:
    await accepted(office, office.approved(exemption=noticed(30)))
    for longer in (noticed(60), ev.CaseExemption(exempt=True, until=NO_END)):
        (error,) = await office.say(office.recorded(2, longer))
        assert "document" in str(error)
        assert (await only(office)).exempt_until == NOW + 30 * DAY
    assert await office.say(office.recorded(3, noticed(100, "b" * 64, 20))) == []
    assert (await only(office)).exempt_until == NOW + 100 * DAY


async def test_the_end_of_a_grant_that_prolongs_a_notice_only_ends_the_grant(
    office: Office,
) -> None:
    await accepted(office, office.approved(exemption=noticed(30)))
    revoked = office.revoked().model_copy(update={"exemption": noticed(60)})
    assert await office.say(revoked) == []
    found = await only(office)
    assert (found.revoked, found.exempt_until) == (True, NOW + 30 * DAY)


# ---------------------------------------------------------------- a release

PACKAGE, OTHER_PACKAGE = "a" * 64, "b" * 64


def released(office: Office, approved: str, *by: str) -> ev.DisclosureReleased:
    nonce = nonce_of_package(CASE, approved)
    return ev.DisclosureReleased(
        case_id=CASE,
        version=9,
        kind="public_records",
        package=PACKAGE,
        recipient="requester",
        released_by="lia",
        approvals=tuple(office.provider.approval(each, nonce, NOW) for each in by),
        released_at=NOW,
    )


async def test_people_approve_the_hash_of_one_package(office: Office) -> None:
    assert await office.say(released(office, PACKAGE, "carla", "olga")) == []
    assert [each.version for each in office.store.kept.values()] == [9]


@pytest.mark.parametrize(
    ("approved", "by", "why"),
    [
        (OTHER_PACKAGE, ("carla", "olga"), "something else"),
        (PACKAGE, ("carla", "Carla"), "twice by one person"),
    ],
)
async def test_a_release_that_they_did_not_approve_counts_for_nothing(
    office: Office, approved: str, by: tuple[str, ...], why: str
) -> None:
    (error,) = await office.say(released(office, approved, *by))
    assert why in str(error)
    assert office.store.kept == {}


async def test_the_approval_of_a_grant_releases_nothing(office: Office) -> None:
    nonce = nonce_of_grant(grant())
    approval = office.provider.approval("carla", nonce, NOW)
    data = released(office, PACKAGE, "carla").model_copy(update={"approvals": (approval,)})
    (error,) = await office.say(data)
    assert "something else" in str(error)


# ---------------------------------------------------------------- retired keys of the provider


async def looks(office: Office) -> None:
    """The owner notes which keys the provider publishes now."""
    await Watching(office.provider, office.seen, office.clock).look()


async def test_what_was_approved_before_the_provider_retired_its_key_counts(
    office: Office,
) -> None:
    """Between the first approval and the last, or the approval and the release, days may pass."""
    release = released(office, PACKAGE, "carla", "olga")
    await looks(office)
    office.provider.published = [provider_key("idp-2")]
    office.clock.at += 14 * DAY - timedelta(seconds=1)
    assert await office.say(release) == []


async def test_a_key_that_was_retired_longer_ago_approves_nothing(office: Office) -> None:
    """No event is longer on its way than 14 days, so whoever signs with that key has stolen it."""
    release = released(office, PACKAGE, "carla", "olga")
    await looks(office)
    office.provider.published = [provider_key("idp-2")]
    office.clock.at += 14 * DAY + timedelta(seconds=1)
    (error,) = await office.say(release)
    assert "does not publish" in str(error)


async def test_a_retired_key_of_the_provider_approves_nothing_later(office: Office) -> None:
    await looks(office)
    office.provider.published = [provider_key("idp-2")]
    office.clock.at += timedelta(minutes=6)
    (error,) = await office.say(office.approved(grant(prepared_at=office.clock.at)))
    assert "does not publish" in str(error)
    assert await office.owner.grants(CASE) == ()


async def test_a_provider_that_does_not_answer_makes_no_key_seem_published(office: Office) -> None:
    release = released(office, PACKAGE, "carla", "olga")
    office.provider.known, office.provider.answers = [office.provider.key], False
    await looks(office)
    office.provider.known, office.provider.answers = None, True
    office.provider.published = [provider_key("idp-2")]
    (error,) = await office.say(release)
    assert "does not publish" in str(error)


# ---------------------------------------------------------------- checked again at every use


async def has_checked(office: Office, case_id: str = CASE) -> Disclosures:
    """A process that has found the case's grant genuine."""
    owner = office.owner
    assert len(await owner.grants(case_id)) == 1
    return owner


async def opens_nothing(office: Office, running: Disclosures) -> None:
    """Neither in a process that has just started, nor in one that has checked what was there
    before."""
    assert await office.owner.grants(CASE) == ()
    assert await running.grants(CASE) == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"record-1"', b'"record-2"'),
        (b'"phone"', b'"email"'),
        (b'"workers":["lia"]', b'"workers":["eve"]'),
        (b'"valid_until":"2026', b'"valid_until":"2036'),
        (b'"prepared_by":"lia"', b'"prepared_by":"eve"'),
    ],
)
async def test_a_changed_body_opens_nothing(office: Office, old: bytes, new: bytes) -> None:
    event_id, running = await accepted(office), await has_checked(office)
    office.store.edit(event_id, **bytes_changed(office.store.kept[event_id], old, new))
    await opens_nothing(office, running)


@pytest.mark.parametrize("header", ["ce_id", "ce_source", "ce_subject", "ce_time", "ce_signature"])
@pytest.mark.parametrize("value", [None, "", "x", "a\nb"])
async def test_a_changed_header_opens_nothing(
    office: Office, header: str, value: str | None
) -> None:
    event_id, running = await accepted(office), await has_checked(office)
    kept = office.store.kept[event_id].kept
    headers = {name: text for name, text in kept.headers.items() if name != header}
    if value is not None:
        headers[header] = value
    office.store.edit(event_id, kept=kept.model_copy(update={"headers": headers}))
    await opens_nothing(office, running)


async def test_an_administrators_own_grant_opens_nothing(office: Office) -> None:
    """Somebody writes into the database what retention never said."""
    event_id, running = await accepted(office), await has_checked(office)
    forged = office.message(
        office.approved(grant(workers=("eve",))),
        Signer("retention-1", Ed25519PrivateKey.generate()),
    )
    kept = office.store.kept[event_id].kept.model_copy(
        update={"headers": dict(forged.headers), "body": forged.body}
    )
    office.store.edit(event_id, kept=kept, event_id=forged.headers["ce_id"])
    await opens_nothing(office, running)


async def test_a_genuine_grant_of_another_case_opens_nothing_here(office: Office) -> None:
    event_id = await accepted(office, office.approved(grant(case_id="case-2")))
    running = await has_checked(office, "case-2")
    office.store.edit(event_id, case_id=CASE)
    await opens_nothing(office, running)


async def test_another_service_grants_nothing(office: Office) -> None:
    private = Ed25519PrivateKey.generate()
    office.trusted["intake-1"] = office.trust("intake-1", "intake", private)
    signer = Signer("intake-1", private)
    for source in ("intake", "retention"):
        (error,) = await office.say(office.message(office.approved(), signer, source))
        assert "service" in str(error)
    assert await office.owner.grants(CASE) == ()


async def test_the_providers_key_may_retire_and_the_grant_stays(office: Office) -> None:
    await accepted(office)
    office.provider.published = [provider_key("idp-2")]
    assert not (await only(office)).revoked


async def test_a_key_that_was_not_kept_on_arrival_counts_for_nothing(office: Office) -> None:
    event_id, running = await accepted(office), await has_checked(office)
    office.store.edit(event_id, provider_keys=())
    await opens_nothing(office, running)


async def test_the_same_bytes_are_computed_once_and_compared_at_every_use(office: Office) -> None:
    class Counting(Principals):
        checks = 0

        def check_again(self, kept: KeptEvent) -> Event[Model]:
            self.checks += 1
            return super().check_again(kept)

    event_id = await accepted(office)
    principals = Counting(office.trusted)
    owner = Disclosures(
        office.store,
        principals,
        Approvals(ISSUER, CLIENT),
        office.provider,
        office.seen,
        office.clock,
    )
    before = [await owner.grants(CASE) for _ in range(3)]
    assert (before, principals.checks) == ([before[0]] * 3, 1)
    kept = office.store.kept[event_id].kept
    for changes in (
        {"kept": kept.model_copy(update={"received_at": kept.received_at - 3 * DAY})},
        {"kept": kept.model_copy(update={"body": kept.body + b" "})},
        {"version": 7},
        {"case_id": CASE, "name": "disclosure.revoked"},
    ):
        office.store.edit(event_id, **changes)
        checks = principals.checks
        await owner.grants(CASE)
        assert principals.checks == checks + 1
    assert await owner.grants(CASE) == ()


async def test_what_was_not_genuine_is_checked_each_time(office: Office) -> None:
    event_id = await accepted(office)
    genuine = office.store.kept[event_id]
    owner = office.owner
    office.store.edit(event_id, **bytes_changed(genuine, b'"lia"', b'"eve"'))
    assert [await owner.grants(CASE) for _ in range(2)] == [(), ()]
    office.store.edit(event_id, kept=genuine.kept)
    assert len(await owner.grants(CASE)) == 1


async def test_a_process_remembers_some_checks_only(office: Office) -> None:
    owner = office.owner
    for number in range(MOST_CHECKED + 5):
        case_id = f"case-{number}"
        data = office.approved(grant(case_id=case_id, grant_id=f"grant-{number}"))
        assert await office.say(data) == []
        assert len(await owner.grants(case_id)) == 1
    assert len(owner._checked_before) == MOST_CHECKED
    assert len(await owner.grants("case-0")) == 1


async def test_nothing_is_asked_of_the_network_at_use(office: Office) -> None:
    await accepted(office)

    async def unreachable(*_: object, **__: object) -> Any:
        raise AssertionError("asked the provider")

    office.provider.keys = unreachable  # type: ignore[method-assign]
    office.provider.keys_after = unreachable  # type: ignore[method-assign]
    assert (await only(office)).grant_id == GRANT


# ---------------------------------------------------------------- retired keys of retention


def ends(office: Office, at: Any) -> None:
    office.trusted["retention-1"] = office.trust("retention-1", "retention", office.private, at)


async def test_a_grant_outlives_the_key_that_signed_it(office: Office) -> None:
    await accepted(office)
    ends(office, NOW + timedelta(hours=1))
    office.clock.at += 400 * DAY
    assert (await only(office)).grant_id == GRANT


async def test_a_retired_key_signs_nothing_later(office: Office) -> None:
    ends(office, NOW - timedelta(seconds=1))
    (error,) = await office.say(office.approved())
    assert "not valid at that time" in str(error)


async def test_a_stolen_retired_key_with_an_older_date_comes_too_late(office: Office) -> None:
    """The broker forgets after 14 days; nothing genuine arrives later (decision 12)."""
    message = office.message(office.approved())
    ends(office, NOW + timedelta(hours=1))
    office.clock.at += 14 * DAY + timedelta(hours=1, seconds=1)
    (error,) = await office.say(message)
    assert "too long after its key" in str(error)
    office.clock.at -= timedelta(seconds=2)
    assert await office.say(message) == []


async def test_a_key_that_is_not_listed_any_more_opens_nothing(office: Office) -> None:
    await accepted(office)
    office.trusted.clear()
    assert await office.owner.grants(CASE) == ()


async def test_an_event_from_the_future_is_refused(office: Office) -> None:
    message = office.message(office.approved())
    office.clock.at -= timedelta(minutes=5, seconds=1)
    (error,) = await office.say(message)
    assert "dated after" in str(error)


# ---------------------------------------------------------------- searches


def searching(sub: str = "lia", purpose: str = "public_records") -> Access:
    return Access(
        Caller(sub, ("custodian",)),
        action="search",
        purpose=purpose,
        operation="POST /v1/persons/search",
        fields=("person_index",),
        reference=CASE,
    )


SEARCH = RecordFacts(search="person")


def allowed(office: Office, access: Access, facts: RecordFacts) -> bool:
    return POLICY.decide(
        access.caller,
        access.purpose or "",
        access.fields,
        facts,
        reference=access.reference,
        at=office.clock.now(),
    ).allowed


async def search(office: Office, access: Access, *, logged: bool = True) -> RecordFacts | None:
    """The facts of a search that was authorized; `None` if it was not. `logged`: the log is
    there."""
    try:
        async with office.owner.searching(access, "person") as facts:
            if not allowed(office, access, facts):
                raise RefusedError("disclosure_case", "not allowed")
            if not logged:
                raise AuditUnavailableError
            return facts
    except RefusedError:
        return None


async def searches(office: Office, times: int) -> list[bool]:
    return [await search(office, searching()) is not None for _ in range(times)]


async def test_as_many_searches_as_were_granted(office: Office) -> None:
    await accepted(office)
    assert await searches(office, 4) == [True, True, False, False]


async def test_a_further_grant_allows_further_searches(office: Office) -> None:
    await accepted(office)
    await accepted(office, office.approved(grant(grant_id="grant-2"), version=2))
    assert await searches(office, 5) == [True] * 4 + [False]


async def test_a_search_that_could_not_be_written_down_is_not_counted(office: Office) -> None:
    await accepted(office)
    for _ in range(3):
        assert await search(office, searching(), logged=False) is None
    assert await searches(office, 3) == [True, True, False]


async def test_a_search_that_is_not_counted_is_not_allowed(office: Office) -> None:
    await accepted(office)
    assert not allowed(office, searching(), await office.owner.facts_for(searching(), SEARCH))


async def test_two_searches_at_once_have_different_numbers(office: Office) -> None:
    await accepted(office)
    owner = office.owner
    async with owner.searching(searching(), "person") as first:
        async with owner.searching(searching(), "person") as second:
            assert {first.searched, second.searched} == {0, 1}
        assert await search(office, searching()) is None


async def test_nobody_else_uses_up_a_search(office: Office) -> None:
    await accepted(office)
    for _ in range(3):
        async with office.owner.searching(searching(purpose="retention"), "person") as facts:
            assert facts == SEARCH
        assert await search(office, searching("vera")) is None
    found = await search(office, searching())
    assert found is not None
    assert found.searched == 0


async def test_an_expired_or_revoked_grant_allows_no_search(office: Office) -> None:
    await accepted(office)
    office.clock.at += DAY
    assert await search(office, searching()) is None
    office.clock.at -= DAY
    await office.say(office.revoked())
    assert await search(office, searching()) is None


async def test_the_access_names_the_case_and_until_when_it_is_exempt(office: Office) -> None:
    exemption = ev.CaseExemption(exempt=True, until=NOW + 30 * DAY)
    await accepted(office, office.approved(exemption=exemption))
    access = searching()
    facts = await office.owner.facts_for(access, RecordFacts(RECORD))
    told = under_case(access, facts)
    assert told.case == AccessCase(CASE, NOW + 30 * DAY)
    assert under_case(access, RecordFacts(RECORD)) == access


@pytest.mark.parametrize("purpose", ["county_business", "respond", "unknown"])
async def test_for_other_purposes_no_case_is_looked_up(office: Office, purpose: str) -> None:
    await accepted(office)
    assert await office.owner.facts_for(searching(purpose=purpose), SEARCH) == SEARCH
