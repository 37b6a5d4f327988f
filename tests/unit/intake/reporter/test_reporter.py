"""What a reporter does by the link: comments, files, withdrawal, being told; over fakes."""

import json
from datetime import timedelta
from email.message import EmailMessage

import pytest

from direct311.intake.clients.domain.clients import Client
from direct311.intake.reporter.adapters.codes import MOST_ASKED, WINDOW
from direct311.intake.reporter.handlers.reporter import MOST_COMMENTS, MOST_FILES
from direct311.intake.request import STEPS_REMEMBERED, Notifications, PendingMail
from direct311.intake.uploads.domain import AnnouncedFile
from direct311.intake.uploads.handlers import IN_HAND, USABLE_FOR
from direct311.runtime.access.ledger import Access, AuditUnavailableError
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.errors import MalformedError, RefusedError
from direct311.runtime.http.problem_codes import status_of
from direct311.runtime.vault.vault import VaultError
from direct311.schemas import Event
from direct311.schemas import events as ev
from tests.support.reporters import NOTICE, ReporterIntake
from tests.support.runtime import NOW

pytestmark = pytest.mark.anyio

APP = Client(client_id="app", name="App", environment="test", created_at=NOW)


@pytest.fixture
def intake() -> ReporterIntake:
    return ReporterIntake()


async def ticket(intake: ReporterIntake, size: int = 3, sha256: str | None = None) -> str:
    ((address, _),) = await intake.upload(
        APP, [AnnouncedFile(content_type="image/png", size=size, sha256=sha256)]
    )
    return address.upload_id


async def brought(intake: ReporterIntake) -> str:
    upload_id = await ticket(intake)
    intake.media.brought[upload_id] = (3, "aa")
    return upload_id


def refused(caught: pytest.ExceptionInfo[RefusedError]) -> tuple[int, str | None]:
    return status_of(caught.value), caught.value.field


# ---------------------------------------------------------------- who may, and what of


@pytest.mark.parametrize("lifecycle", ["destroying", "destroyed"])
async def test_what_is_going_takes_nothing_more(intake: ReporterIntake, lifecycle: str) -> None:
    await intake.request(lifecycle=lifecycle)
    caller = intake.caller()
    for step in (
        intake.reporter.follow(caller, "r-1"),
        intake.reporter.comment(caller, "r-1", "More.", None),
        intake.reporter.add_files(caller, "r-1", ["u-1"], None),
        intake.reporter.withdraw(caller, "r-1", None),
        intake.reporter.notify(caller, "r-1", "en", NOTICE, None),
        intake.reporter.stop_notifying(caller, "r-1"),
    ):
        with pytest.raises(RefusedError) as caught:
            await step
        assert status_of(caught.value) == 410
    assert intake.keys.fetches == []


async def test_staff_and_other_links_are_refused_before_anything_is_looked_at(
    intake: ReporterIntake,
) -> None:
    await intake.request()
    for caller in (Caller("olga", ("agent",)), intake.caller("r-2")):
        for step in (
            intake.reporter.follow(caller, "r-1"),
            intake.reporter.withdraw(caller, "r-1", None),
            intake.reporter.stop_notifying(caller, "r-1"),
        ):
            with pytest.raises(RefusedError) as caught:
                await step
            assert status_of(caught.value) == 403


# ---------------------------------------------------------------- comments


async def test_a_comment_is_one_note_one_event_and_one_access(intake: ReporterIntake) -> None:
    await intake.request()
    text = "Still there.\r\nCall 305-555-0188."
    for _ in range(2):
        await intake.reporter.comment(intake.caller(), "r-1", text, "key")
    state = intake.state()
    (note,) = state.notes
    assert (note.kind, "0188" in note.text) == ("reporter", False)
    (said,) = intake.said()
    assert said.changed == ("text",)
    assert [each.text for each in said.remarks] == [note.text]
    (event,) = intake.access_log.events()
    assert (event.action, event.why.purpose, event.what.fields) == (
        "correct",
        "subject_access",
        ("comments",),
    )
    assert "555-0188" not in state.model_dump_json(exclude={"sealed"})


async def test_comments_are_kept_in_the_order_they_came_as_they_were_typed(
    intake: ReporterIntake,
) -> None:
    await intake.request()
    for text in ("One 305-555-0188", "Two"):
        await intake.reporter.comment(intake.caller(), "r-1", text, None)
    sealed = intake.state().sealed["comments"]
    assert b"555-0188" not in sealed
    access = Access(Caller("olga", ("agent",)), "view", "respond", "test", ("comments",), ("r-1",))
    opened = await intake.vault.open(access, RecordFacts("r-1"), {"comments": sealed})
    assert [each["text"] for each in json.loads(opened["comments"])] == ["One 305-555-0188", "Two"]


async def test_earlier_comments_that_do_not_open_are_told_and_stay_as_they_are(
    intake: ReporterIntake,
) -> None:
    before = await intake.request(sealed={"comments": bytes(40)})
    with pytest.raises(VaultError):
        await intake.reporter.comment(intake.caller(), "r-1", "More.", None)
    assert intake.state() == before
    assert [event.outcome for event in intake.access_log.events()] == ["success", "error"]


async def test_a_comment_that_tells_of_danger_flags_the_request(intake: ReporterIntake) -> None:
    await intake.request()
    calm = await intake.reporter.comment(intake.caller(), "r-1", "It is loud.", None)
    assert calm.guidance == {}
    done = await intake.reporter.comment(intake.caller(), "r-1", "Now there is a fire!", None)
    assert set(done.guidance) == {"en", "es", "ht"}
    assert intake.state().emergency_assistance
    assert intake.said()[-1].emergency_assistance


@pytest.mark.parametrize("text", ["", " \n ", "x" * 4001, "Wurzelgruber\x00", "Wurzelgruber\ud800"])
async def test_a_text_that_cannot_be_one_opens_and_stores_nothing(
    intake: ReporterIntake, text: str
) -> None:
    before = await intake.request()
    with pytest.raises(MalformedError) as caught:
        await intake.reporter.comment(intake.caller(), "r-1", text, None)
    assert refused(caught) == (422, "text")
    assert "Wurzelgruber" not in caught.value.detail
    assert intake.state() == before
    assert intake.keys.fetches == []


async def test_a_comment_that_cannot_be_written_down_is_not_taken(intake: ReporterIntake) -> None:
    before = await intake.request()
    intake.access_log.down = True
    with pytest.raises(AuditUnavailableError):
        await intake.reporter.comment(intake.caller(), "r-1", "More.", None)
    assert intake.state() == before


async def test_comments_come_to_an_end(intake: ReporterIntake) -> None:
    await intake.request()
    for number in range(MOST_COMMENTS):
        intake.clock.at += timedelta(minutes=2)
        await intake.reporter.comment(intake.caller(), "r-1", f"{number}", f"key-{number}")
    with pytest.raises(RefusedError) as caught:
        await intake.reporter.comment(intake.caller(), "r-1", "One more.", None)
    assert status_of(caught.value) == 409
    assert len(intake.state().steps) == STEPS_REMEMBERED


async def test_a_key_is_good_for_one_step(intake: ReporterIntake) -> None:
    await intake.request()
    await intake.reporter.comment(intake.caller(), "r-1", "One.", "zora@example.org")
    with pytest.raises(RefusedError) as caught:
        await intake.reporter.withdraw(intake.caller(), "r-1", "zora@example.org")
    assert refused(caught) == (409, "idempotency_key")
    assert intake.state().status == "received"
    assert "zora@" not in intake.state().model_dump_json(exclude={"sealed"})


# ---------------------------------------------------------------- files


async def test_files_are_added_once_and_the_media_service_hears_of_all(
    intake: ReporterIntake,
) -> None:
    first = ev.UploadRef(upload_id="first", size=1, sha256="00", content_type="image/png")
    await intake.request(uploads=(first,))
    upload_id = await brought(intake)
    for key in ("k", "k", None):
        after = await intake.reporter.add_files(intake.caller(), "r-1", [upload_id, upload_id], key)
        assert [each.upload_id for each in after.uploads] == ["first", upload_id]
    (said,) = intake.said()
    assert said.changed == ("media",)
    assert [each.upload_id for each in said.uploads] == ["first", upload_id]
    assert intake.tickets.tickets[upload_id].record_id == "r-1"


async def test_a_type_without_media_and_a_full_request_take_no_files(
    intake: ReporterIntake,
) -> None:
    await intake.request(service_code="ANI-PET-ACCOUNT")
    upload_id = await brought(intake)
    with pytest.raises(MalformedError):
        await intake.reporter.add_files(intake.caller(), "r-1", [upload_id], None)
    many = tuple(
        ev.UploadRef(upload_id=f"f-{number}", size=1, sha256="00", content_type="image/png")
        for number in range(MOST_FILES)
    )
    await intake.request("r-2", uploads=many)
    with pytest.raises(RefusedError) as caught:
        await intake.reporter.add_files(intake.caller("r-2"), "r-2", [upload_id], None)
    assert status_of(caught.value) == 409
    assert intake.tickets.tickets[upload_id].claim is None


async def test_a_ticket_is_good_for_one_request_its_client_and_a_while(
    intake: ReporterIntake,
) -> None:
    upload_id = await brought(intake)
    with pytest.raises(MalformedError) as caught:
        await intake.upload.take([upload_id], "another", "claim", "r-1")
    assert refused(caught) == (422, "file_ids.0")
    for _ in range(2):
        (taken,) = await intake.upload.take([upload_id], "app", "claim", "r-1")
        assert (taken.size, taken.sha256) == (3, "aa")
    fresh = await brought(intake)
    with pytest.raises(MalformedError) as caught:
        await intake.upload.take([fresh, upload_id], "app", "another", "r-2")
    assert refused(caught) == (422, "file_ids.1")
    assert intake.tickets.tickets[fresh].claim is None
    intake.clock.at += USABLE_FOR + timedelta(seconds=1)
    with pytest.raises(MalformedError):
        await intake.upload.take([fresh], "app", "another", "r-2")


async def test_a_claim_whose_request_never_came_is_given_back_in_time(
    intake: ReporterIntake,
) -> None:
    upload_id = await brought(intake)
    await intake.upload.take([upload_id], "app", "killed", "r-never")
    with pytest.raises(MalformedError):
        await intake.upload.take([upload_id], "app", "another", "r-2")
    intake.clock.at += IN_HAND
    await intake.upload.take([upload_id], "app", "another", "r-2")
    await intake.request("r-2")
    intake.clock.at += IN_HAND
    with pytest.raises(MalformedError):
        await intake.upload.take([upload_id], "app", "third", "r-3")


@pytest.mark.parametrize("stored", ["r-1", "r-2"])
async def test_whichever_try_with_one_key_is_stored_its_files_are_in_no_other_request(
    intake: ReporterIntake, stored: str
) -> None:
    upload_id = await brought(intake)
    # Both looked before either was stored; or the first was killed, and the second came after it.
    for record_id in ("r-1", "r-2"):
        await intake.upload.take([upload_id], "app", "app:key", record_id)
    await intake.request(stored, idempotency="app:key")
    intake.clock.at += IN_HAND
    with pytest.raises(MalformedError) as caught:
        await intake.upload.take([upload_id], "app", "app:another", "r-9")
    assert refused(caught) == (422, "file_ids.0")
    assert intake.tickets.tickets[upload_id].claim == "app:key"


@pytest.mark.parametrize(("size", "sha256"), [(4, "aa"), (3, "bb")])
async def test_other_bytes_than_announced_are_refused(
    intake: ReporterIntake, size: int, sha256: str
) -> None:
    upload_id = await ticket(intake, sha256="aa")
    with pytest.raises(MalformedError):
        await intake.upload.take([upload_id], "app", "c", "r-1")
    intake.media.brought[upload_id] = (size, sha256)
    with pytest.raises(MalformedError):
        await intake.upload.take([upload_id], "app", "c", "r-1")
    assert intake.tickets.tickets[upload_id].claim is None


# ---------------------------------------------------------------- withdrawal


async def test_a_withdrawn_request_is_closed_and_stays_so(intake: ReporterIntake) -> None:
    await intake.request(department="parks", status="routed")
    after = await intake.reporter.withdraw(intake.caller(), "r-1", None)
    assert (after.status, after.closed_at) == ("withdrawn", NOW)
    (said,) = intake.said()
    assert said.changed == ("withdrawal", "status")
    assert said.closed_at == NOW
    again = await intake.reporter.withdraw(intake.caller(), "r-1", None)
    assert again.version == after.version
    # What the department said before it heard, or was told, changes the history alone.
    work = ev.WorkUpdated(
        record_id="r-1",
        version=1,
        update_id="u",
        department="parks",
        status="in_progress",
        note="We come.",
        occurred_at=NOW,
        accepted_at=NOW,
    )
    change = await intake.follow.worked(after, Event("e", "/x", "r-1", NOW, work))
    assert change is not None
    assert (change.state.status, change.events) == ("withdrawn", ())
    assert change.state.notes[-1].text == "We come."


@pytest.mark.parametrize("status", ["fixed", "closed", "closed_unfounded", "duplicate"])
async def test_what_is_closed_is_not_withdrawn(intake: ReporterIntake, status: str) -> None:
    await intake.request(status=status)
    with pytest.raises(RefusedError) as caught:
        await intake.reporter.withdraw(intake.caller(), "r-1", None)
    assert status_of(caught.value) == 409
    assert intake.said() == []


# ---------------------------------------------------------------- being told


async def told(intake: ReporterIntake, status: str = "fixed", record_id: str = "r-1") -> None:
    """The department's answer."""
    before = intake.state(record_id)
    work = ev.WorkUpdated.model_validate(
        {
            "record_id": record_id,
            "version": before.version,
            "update_id": "u",
            "department": "parks",
            "status": status,
            "note": "Zora's dog is home.",
            "occurred_at": intake.clock.now(),
            "accepted_at": intake.clock.now(),
        }
    )
    change = await intake.follow.worked(
        before, Event(f"e-{before.version}", "/x", record_id, NOW, work)
    )
    assert change is not None
    await intake.put(change.state)


async def test_who_asked_is_told_of_a_new_status_and_of_nothing_else(
    intake: ReporterIntake,
) -> None:
    await intake.request()
    await told(intake, "in_progress")
    await intake.mail.step()
    assert intake.mailer.sent == []
    await intake.reporter.notify(intake.caller(), "r-1", "es", NOTICE, None)
    await told(intake)
    await told(intake, "closed")
    await intake.mail.step()
    await intake.mail.step()
    (message,) = intake.mailer.sent
    text = message.get_content()
    assert message["To"] == "zora@example.org"
    assert message["Auto-Submitted"] == "auto-generated"
    assert "https://311.county.example/requests/r-1" in text
    assert "registros públicos" in text
    assert "Zora" not in text
    (event,) = intake.access_log.events()
    assert (event.agent.id, event.why.purpose, event.what.fields) == (
        "svc:intake",
        "respond",
        ("email",),
    )
    assert (intake.state().mail, intake.state().mail_after) == (None, None)


async def test_a_relay_that_is_down_is_tried_again_ever_more_seldom(intake: ReporterIntake) -> None:
    await intake.request()
    await intake.reporter.notify(intake.caller(), "r-1", "en", NOTICE, None)
    await told(intake)
    intake.mailer.down = True
    pauses = []
    for _ in range(4):
        await intake.mail.step()
        # Not again before its time.
        await intake.mail.step()
        after = intake.state().mail_after
        assert after is not None
        pauses.append(after - intake.clock.at)
        intake.clock.at = after
    assert pauses == sorted(pauses)
    assert len(set(pauses)) == 4
    intake.mailer.down = False
    await intake.mail.step()
    assert len(intake.mailer.sent) == 1
    assert intake.state().mail is None


async def test_what_comes_while_a_message_is_being_sent_is_told_by_another(
    intake: ReporterIntake, monkeypatch: pytest.MonkeyPatch
) -> None:
    await intake.request()
    await intake.reporter.notify(intake.caller(), "r-1", "en", NOTICE, None)
    await told(intake)
    await told(intake, "on_hold")
    send = intake.mailer.send

    async def slow(message: EmailMessage) -> None:
        await send(message)
        # The reporter has read it, and only then the department goes on.
        await told(intake)
        await told(intake, "fixed")

    with monkeypatch.context() as later:
        later.setattr(intake.mailer, "send", slow)
        await intake.mail.step()
    assert len(intake.mailer.sent) == 1
    for _ in range(3):
        await intake.mail.step()
    first, second = intake.mailer.sent
    assert first["Message-ID"] != second["Message-ID"]
    assert (intake.state().mail, intake.state().mail_after) == (None, None)


async def test_a_message_that_waited_before_there_was_a_latest_is_sent_once(
    intake: ReporterIntake,
) -> None:
    waiting = PendingMail.model_validate({"mail_id": "m", "since": NOW, "tries": 2})
    await intake.request(
        notifications=Notifications(language="en", since=NOW), mail=waiting, mail_after=NOW
    )
    for _ in range(2):
        await intake.mail.step()
    assert len(intake.mailer.sent) == 1
    assert intake.state().mail is None


async def test_news_that_come_late_to_a_message_that_waits_have_their_own_five_days(
    intake: ReporterIntake,
) -> None:
    await intake.request()
    await intake.reporter.notify(intake.caller(), "r-1", "en", NOTICE, None)
    await told(intake, "in_progress")
    intake.mailer.down = True
    intake.clock.at += timedelta(days=4)
    await intake.mail.step()
    await told(intake, "fixed")
    intake.clock.at += timedelta(days=4)
    intake.mailer.down = False
    await intake.mail.step()
    assert len(intake.mailer.sent) == 1
    assert intake.state().mail is None


async def test_what_the_relay_refuses_for_good_is_not_tried_again(intake: ReporterIntake) -> None:
    await intake.request()
    await intake.reporter.notify(intake.caller(), "r-1", "en", NOTICE, None)
    await told(intake)
    intake.mailer.refuses = True
    for _ in range(3):
        await intake.mail.step()
        intake.clock.at += timedelta(hours=2)
    assert (intake.mailer.tried, intake.mailer.sent) == (1, [])
    assert (intake.state().mail, intake.state().mail_after) == (None, None)


async def test_without_the_log_no_address_is_opened_and_nothing_is_lost(
    intake: ReporterIntake,
) -> None:
    await intake.request()
    await intake.reporter.notify(intake.caller(), "r-1", "en", NOTICE, None)
    await told(intake)
    intake.access_log.down = True
    await intake.mail.step()
    assert intake.mailer.sent == []
    assert intake.keys.fetches == []
    assert intake.state().mail is not None


async def test_who_wants_no_messages_any_more_gets_none_that_waits(intake: ReporterIntake) -> None:
    await intake.request()
    await intake.reporter.notify(intake.caller(), "r-1", "en", NOTICE, None)
    await told(intake)
    for _ in range(2):
        after = await intake.reporter.stop_notifying(intake.caller(), "r-1")
        assert (after.notifications, after.mail) == (None, None)
    await intake.mail.step()
    assert intake.mailer.sent == []


async def test_a_message_is_given_up_after_days_and_an_address_that_is_none_at_once(
    intake: ReporterIntake,
) -> None:
    await intake.request()
    await intake.reporter.notify(intake.caller(), "r-1", "en", NOTICE, None)
    await told(intake)
    intake.clock.at += timedelta(days=6)
    await intake.mail.step()
    assert (intake.mailer.sent, intake.state().mail) == ([], None)
    await intake.request("r-2", {"email": "a@b@c"})
    await intake.reporter.notify(intake.caller("r-2"), "r-2", "en", NOTICE, None)
    await told(intake, record_id="r-2")
    await intake.mail.step()
    assert (intake.mailer.sent, intake.state("r-2").mail) == ([], None)


async def test_only_a_notice_that_was_served_and_an_address_that_is_held_will_do(
    intake: ReporterIntake,
) -> None:
    await intake.request()
    await intake.request("r-2", {"phone": "305-555-0142"})
    with pytest.raises(MalformedError) as caught:
        await intake.reporter.notify(intake.caller(), "r-1", "en", "0", None)
    assert refused(caught) == (422, "email_notice_version")
    with pytest.raises(RefusedError) as missing:
        await intake.reporter.notify(intake.caller("r-2"), "r-2", "en", NOTICE, None)
    assert refused(missing) == (409, "email")
    after = await intake.reporter.notify(intake.caller(), "r-1", "en", NOTICE, None)
    assert after.policy is not None
    assert after.policy.email_notice_version == NOTICE


# ---------------------------------------------------------------- codes


async def test_a_code_is_sent_to_the_requests_own_address_alone(intake: ReporterIntake) -> None:
    await intake.request()
    await intake.one_time.ask("r-1", "zora@elsewhere.example", "en")
    await intake.mail.step()
    assert intake.mailer.sent == []
    await intake.one_time.ask("r-1", " ZORA@example.org ", "en")
    await intake.mail.step()
    (message,) = intake.mailer.sent
    digits = [word for word in message.get_content().split() if word.strip(".").isdigit()]
    code = next(word.strip(".") for word in digits if len(word.strip(".")) == 8)
    # Both questions have made the same one write.
    assert [nonce is None for _, nonce in intake.codes.asked] == [True, False]
    assert code not in repr(intake.codes.nonces)
    with pytest.raises(RefusedError):
        await intake.one_time.redeem("r-1", f"{(int(code) + 1) % 10**8:08}")
    link = await intake.one_time.redeem("r-1", f"{code[:4]} {code[4:]}")
    caller = intake.links.caller(link.token)
    assert caller.link_record_id == "r-1"
    given = intake.access_log.events()[-1]
    assert (given.action, given.agent.id, given.recipient is not None) == (
        "disclose",
        "svc:intake",
        True,
    )
    with pytest.raises(RefusedError) as used:
        await intake.one_time.redeem("r-1", code)
    assert refused(used) == (403, "code")


async def test_a_code_that_is_over_is_not_sent_any_more(intake: ReporterIntake) -> None:
    await intake.request()
    intake.mailer.down = True
    await intake.one_time.ask("r-1", "zora@example.org", "ht")
    await intake.mail.step()
    intake.mailer.down = False
    intake.clock.at += timedelta(minutes=11)
    await intake.mail.step()
    assert (intake.mailer.sent, intake.codes.waiting) == ([], {})


async def test_too_many_questions_are_told_when_to_come_back(intake: ReporterIntake) -> None:
    await intake.request()
    for _ in range(MOST_ASKED):
        await intake.codes.ask("r-1", NOW + timedelta(minutes=7) - WINDOW, None, "en")
    for email in ("zora@example.org", "other@example.org"):
        with pytest.raises(RefusedError) as caught:
            await intake.one_time.ask("r-1", email, "en")
        assert (status_of(caught.value), caught.value.retry_after) == (429, 420)


@pytest.mark.parametrize("email", ["", "Wurzelgruber", "a@b", "Wurzelgruber\x00@example.org"])
async def test_what_is_no_address_is_not_asked_about(intake: ReporterIntake, email: str) -> None:
    await intake.request()
    with pytest.raises(MalformedError) as caught:
        await intake.one_time.ask("r-1", email, "en")
    assert refused(caught) == (422, "email")
    assert "Wurzelgruber" not in caught.value.detail
    assert intake.codes.asked == []


async def test_no_link_is_given_that_cannot_be_written_down_and_the_code_stays(
    intake: ReporterIntake,
) -> None:
    await intake.request()
    await intake.one_time.ask("r-1", "zora@example.org", "en")
    await intake.mail.step()
    (message,) = intake.mailer.sent
    words = [word.strip(".") for word in message.get_content().split()]
    code = next(word for word in words if word.isdigit() and len(word) == 8)
    intake.access_log.down = True
    with pytest.raises(AuditUnavailableError):
        await intake.one_time.redeem("r-1", code)
    intake.access_log.down = False
    assert (await intake.one_time.redeem("r-1", code)).token
