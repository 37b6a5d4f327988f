"""Service request updates: windows, what is taken from clients, what shows, and once only."""

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.intake.catalogue.adapters import load_catalogue, load_emergencies
from direct311.intake.clients.domain.clients import Client
from direct311.intake.open311.adapters.updates import _whole_seconds
from direct311.intake.open311.wire.render import instant
from direct311.intake.open311.wire.updates import STATUSES, read_comment, read_window, update
from direct311.intake.reporter.handlers.comment import MOST_COMMENTS, AddComment
from direct311.intake.request import (
    SENDERS,
    UPDATE_CONTACTS,
    UPDATES,
    Note,
    Notifications,
    ServiceRequest,
)
from direct311.intake.updates import Comment, Update, updates_of
from direct311.runtime.errors import RefusedError
from direct311.runtime.vault.vault import VaultError
from direct311.schemas import events as ev
from tests.support.intake import IntakeUnderTest
from tests.support.runtime import NOW

CATALOGUE = load_catalogue().content
TYPE = CATALOGUE.services[0]
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
CLIENT = Client(client_id="fixmystreet", name="FixMyStreet", environment="test", created_at=NOW)
OTHER = CLIENT.model_copy(update={"client_id": "other"})
FORM = [
    ("jurisdiction_id", "miamidade"),
    ("service_request_id", "r-1"),
    ("update_id", "1234"),
    ("status", "CLOSED"),
    ("updated_datetime", "2026-03-02T11:59:00Z"),
    ("description", "It is gone. Call me at 305-555-0142."),
    ("first_name", "Zora"),
    ("last_name", "Neale"),
    ("email", "zora@example.org"),
    ("media_url", "https://photos.example/1.jpg"),
]

# ---------------------------------------------------------------- windows


@given(
    st.datetimes(AT.replace(tzinfo=None), AT.replace(tzinfo=None) + timedelta(seconds=5)),
    st.integers(0, 5),
    st.integers(0, 5),
)
def test_a_window_holds_what_its_dates_as_strings_hold(at: datetime, start: int, end: int) -> None:
    first, last = sorted((AT + start * SECOND, AT + end * SECOND))
    dates = {"start_date": str(instant(first)), "end_date": str(instant(last))}
    window, problems = read_window(dates, AT)
    assert problems == []
    at = at.replace(tzinfo=UTC)
    written = str(instant(at))
    inside = dates["start_date"] < written < dates["end_date"]
    assert (window.since <= at < window.until) == inside


def test_without_dates_a_window_is_the_last_day_and_without_an_end_reaches_to_now() -> None:
    now = AT + timedelta(milliseconds=500)
    window, _ = read_window({"start_date": " "}, now)
    assert window.since <= now < window.until
    assert timedelta(days=1) - SECOND <= window.until - window.since <= timedelta(days=1)
    window, _ = read_window({"start_date": "2026-03-01T00:00:00Z"}, now)
    assert window.since <= now < window.until


@pytest.mark.parametrize(
    ("parameters", "code", "named"),
    [
        ({"start_date": "yesterday"}, 400, "start_date"),
        ({"end_date": "2026-99-01"}, 400, "end_date"),
        ({"start_date": "2026-03-02", "end_date": "2026-03-01"}, 400, "end_date"),
        ({"start_date": "2025-03-02", "end_date": "2026-03-01"}, 400, "start_date"),
        ({"jurisdiction_id": "broward"}, 404, "jurisdiction_id"),
    ],
)
def test_what_is_wrong_with_a_window_is_named(
    parameters: dict[str, str], code: int, named: str
) -> None:
    _, problems = read_window(parameters, AT)
    assert [(problem.code, problem.field) for problem in problems] == [(code, named)]


def test_a_list_that_is_cut_is_cut_between_seconds() -> None:
    def at(milliseconds: int) -> Update:
        note = Note(at=AT + timedelta(milliseconds=milliseconds), kind="notice")
        return Update(str(milliseconds), "r", TYPE.service_code, "routed", note)

    found = [at(0), at(900), at(1000), at(1500), at(1999), at(2000)]
    assert _whole_seconds(found, 6) == found
    assert _whole_seconds(found, 3) == found[:5]
    assert _whole_seconds(found, 2) == found[:2]


# ---------------------------------------------------------------- what is sent


def test_what_fixmystreet_sends_is_taken() -> None:
    comment, problems = read_comment(FORM)
    assert problems == []
    assert comment is not None
    assert (comment.record_id, comment.key, comment.said) == ("r-1", "1234", "CLOSED")
    assert comment.contact_left_out
    assert "zora" not in repr(comment).lower()
    assert comment.media_urls == ("https://photos.example/1.jpg",)


@pytest.mark.parametrize(
    ("changed", "codes"),
    [
        ({"status": "closed"}, {"status": 400}),
        ({"status": "DONE"}, {"status": 400}),
        ({"status": ""}, {"status": 400}),
        ({"service_request_id": " "}, {"service_request_id": 400}),
        ({"service_request_id": "../1"}, {"service_request_id": 404}),
        ({"update_id": "a\x00"}, {"update_id": 400}),
        ({"updated_datetime": "today"}, {"updated_datetime": 400}),
        ({"description": "x" * 4001}, {"description": 400}),
        ({"media_url": "javascript:x"}, {"media_url": 400}),
        ({"jurisdiction_id": "broward"}, {"jurisdiction_id": 404}),
        (
            {"status": "?", "update_id": "", "description": "\x00"},
            {"status": 400, "update_id": 400},
        ),
    ],
)
def test_what_is_wrong_with_an_update_is_named_and_not_echoed(
    changed: dict[str, str], codes: dict[str, int]
) -> None:
    form = [(name, changed.get(name, value)) for name, value in FORM]
    comment, problems = read_comment(form)
    assert comment is None
    named = {problem.field: problem.code for problem in problems}
    assert named.items() >= codes.items()
    for value in changed.values():
        assert len(value) < 5 or all(value not in each.description for each in problems)


def test_every_status_of_mysociety_is_taken() -> None:
    for status in STATUSES:
        form = [(name, status if name == "status" else value) for name, value in FORM]
        assert read_comment(form)[1] == []


# ---------------------------------------------------------------- what shows


def test_a_comments_status_is_the_departments() -> None:
    notes = (
        Note(at=AT, kind="comment", said="CLOSED", text="gone"),
        Note(at=AT, kind="status", status="in_progress", text="Crew sent."),
        Note(at=AT, kind="comment", said="FIXED", text="thanks", update_id="u-2"),
        Note(at=AT, kind="status", status="closed_unfounded"),
    )
    shown = [update(each, TYPE) for each in updates_of("r-1", TYPE.service_code, notes)]
    assert [each["status"] for each in shown] == [
        "OPEN",
        "IN_PROGRESS",
        "IN_PROGRESS",
        "NO_FURTHER_ACTION",
    ]
    assert [each["update_id"] for each in shown] == ["r-1-0", "r-1-1", "u-2", "r-1-3"]
    assert [each["description"] for each in shown] == [None, "Crew sent.", None, None]
    assert shown[2]["extras"] == {
        "kind": "comment",
        "extended_status": "in_progress",
        "client_status": "FIXED",
    }
    public = TYPE.model_copy(update={"flags": TYPE.flags.model_copy(update={"publish_text": True})})
    texts = [update(e, public)["description"] for e in updates_of("r-1", "X", notes)]
    assert texts == ["gone", "Crew sent.", "thanks", None]


# ---------------------------------------------------------------- what is kept


CONTENT_KEY = os.urandom(32)


class CommentingIntake(IntakeUnderTest):
    """Intake with the use case that adds a comment."""

    def __init__(self) -> None:
        super().__init__()
        self.add = AddComment(
            processor=self.processor,
            vault=self.vault,
            emergencies=load_emergencies().content,
            clock=self.clock,
            ids=self.ids,
            content_key=CONTENT_KEY,
        )

    async def store(self, **fields: Any) -> None:
        await self.sealed("r-1", {})
        state = ServiceRequest(
            record_id="r-1", version=1, status="in_progress", received_at=NOW, **fields
        )
        await self.records.put(state, NOW)

    def opened(self, field: str) -> Any:
        return json.loads(self.unsealed(field))


def comment(**changed: str) -> Comment:
    found, problems = read_comment([(name, changed.get(name, value)) for name, value in FORM])
    assert found is not None, problems
    return found


@pytest.fixture
async def intake() -> CommentingIntake:
    intake = CommentingIntake()
    await intake.store()
    return intake


@pytest.mark.anyio
async def test_a_comment_is_redacted_and_sealed_and_leaves_the_status_alone(
    intake: CommentingIntake,
) -> None:
    update_id = await intake.add(comment(), CLIENT)
    state = intake.state()
    (note,) = state.notes
    assert (state.status, note.kind, note.status, note.said) == (
        "in_progress",
        "comment",
        None,
        "CLOSED",
    )
    assert note.text == "It is gone. Call me at [telephone]."
    assert (note.at, state.updated_at, note.update_id) == (NOW, NOW, update_id)
    assert intake.opened(UPDATES) == {
        update_id: {
            "description": "It is gone. Call me at 305-555-0142.",
            "media_url": ["https://photos.example/1.jpg"],
        }
    }
    assert (set(state.sealed), set(state.indexes)) == ({UPDATES}, set())
    kept = state.model_dump_json(exclude={"sealed"})
    for personal in ("Neale", "zora", "555-0142", "photos.example", '"1234"'):
        assert personal not in kept
    (event,) = intake.access_log.events()
    assert (event.action, event.outcome, event.time.occurred_at) == ("seal", "success", NOW)
    assert event.what.fields == (UPDATES,)


@pytest.mark.anyio
async def test_a_comment_is_told_to_the_department_once_with_who_said_it(
    intake: CommentingIntake,
) -> None:
    await intake.add(comment(), CLIENT)
    (event,) = intake.said()
    (remark,) = event.remarks
    assert (event.changed, event.status) == (("text",), "in_progress")
    assert remark == ev.Remark(at=NOW, text="It is gone. Call me at [telephone].", by="client")
    version = intake.state().version
    await intake.add(comment(), CLIENT)
    assert intake.state().version == version


@pytest.mark.anyio
async def test_the_reporters_own_and_others_remarks_are_told_apart() -> None:
    intake = CommentingIntake()
    await intake.store(notes=(Note(at=NOW, kind="reporter", text="mine"),))
    await intake.add(comment(), CLIENT)
    (event,) = intake.said()
    assert [(each.by, each.text[:4]) for each in event.remarks] == [
        ("reporter", "mine"),
        ("client", "It i"),
    ]


@pytest.mark.anyio
async def test_an_event_has_the_newest_remarks_that_a_broker_takes() -> None:
    intake = CommentingIntake()
    long = tuple(Note(at=NOW, kind="reporter", text=f"{n:02}" + "é" * 3998) for n in range(50))
    await intake.store(notes=(*long, Note(at=NOW, kind="comment", said="OPEN", mark="m")))
    await intake.add(comment(), CLIENT)
    (event,) = intake.said()
    # A comment without words is none that anybody must read.
    assert [each.text[:2] for each in event.remarks] == [*(f"{n:02}" for n in range(38, 50)), "It"]
    assert sum(len(each.text.encode()) for each in event.remarks) <= 100_000


@pytest.mark.anyio
async def test_words_of_danger_flag_the_request_for_its_department(
    intake: CommentingIntake,
) -> None:
    await intake.add(comment(), CLIENT)
    assert not intake.state().emergency_assistance
    await intake.add(comment(update_id="2", description="Now the house is on fire!"), CLIENT)
    assert intake.state().emergency_assistance
    assert intake.said()[-1].emergency_assistance
    await intake.add(comment(update_id="3"), CLIENT)
    assert intake.state().emergency_assistance


@pytest.mark.anyio
async def test_what_was_kept_of_earlier_senders_stays_as_it_is() -> None:
    intake = CommentingIntake()
    earlier = {SENDERS: ("1:somebody",)}
    await intake.store(sealed={UPDATE_CONTACTS: b"sealed"}, indexes=earlier, protected=True)
    await intake.add(comment(), CLIENT)
    state = intake.state()
    assert (state.sealed[UPDATE_CONTACTS], dict(state.indexes)) == (b"sealed", earlier)
    assert state.protected


@pytest.mark.anyio
async def test_a_reporter_who_asked_is_told_of_every_comment() -> None:
    intake = CommentingIntake()
    await intake.store(notifications=Notifications(language="en", since=NOW))
    update_id = await intake.add(comment(), CLIENT)
    mail = intake.state().mail
    assert mail is not None
    assert (mail.mail_id, intake.state().mail_after) == (update_id, NOW)


@pytest.mark.anyio
async def test_a_reporter_who_did_not_ask_is_told_nothing(intake: CommentingIntake) -> None:
    await intake.add(comment(), CLIENT)
    assert intake.state().mail is None


@pytest.mark.anyio
async def test_earlier_comments_that_do_not_open_are_told_and_stay_as_they_are() -> None:
    intake = CommentingIntake()
    await intake.store(sealed={"updates": bytes(40)})
    before = intake.state()
    with pytest.raises(VaultError):
        await intake.add(comment(), CLIENT)
    assert intake.state() == before
    assert [event.outcome for event in intake.access_log.events()] == ["success", "error"]


@pytest.mark.anyio
async def test_numbers_that_nobody_may_keep_are_masked_before_they_are_sealed(
    intake: CommentingIntake,
) -> None:
    await intake.add(comment(description="card 4012 8888 8888 1881, SSN 219-09-9999"), CLIENT)
    (kept,) = intake.opened(UPDATES).values()
    assert "1881" not in kept["description"]
    assert "9999" not in kept["description"]


@pytest.mark.anyio
async def test_the_clients_id_makes_an_update_happen_once(intake: CommentingIntake) -> None:
    first = await intake.add(comment(), CLIENT)
    intake.clock.at += timedelta(minutes=5)
    assert await intake.add(comment(updated_datetime="2026-03-02T12:30:00Z"), CLIENT) == first
    assert len(intake.state().notes) == 1
    with pytest.raises(RefusedError) as refused:
        await intake.add(comment(description="Other words."), CLIENT)
    assert (refused.value.code, refused.value.field) == ("idempotency_key", "update_id")
    assert await intake.add(comment(), OTHER) != first
    assert len(intake.state().notes) == 2
    assert len(intake.opened(UPDATES)) == 2


@pytest.mark.anyio
async def test_a_request_takes_a_bounded_number_of_updates() -> None:
    intake = CommentingIntake()
    notes = tuple(
        Note(at=NOW, kind="comment", mark=str(n), content="c", update_id=str(n))
        for n in range(MOST_COMMENTS)
    )
    await intake.store(notes=notes)
    with pytest.raises(RefusedError) as refused:
        await intake.add(comment(), CLIENT)
    assert (refused.value.code, refused.value.field) == ("too_many", "service_request_id")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "fields",
    [{"lifecycle": "destroying"}, {"lifecycle": "destroyed"}, {"delivery": "blackbox"}, None],
)
async def test_what_the_public_does_not_know_takes_no_update(fields: dict[str, Any] | None) -> None:
    intake = CommentingIntake()
    if fields:
        await intake.store(**fields)
    with pytest.raises(RefusedError) as refused:
        await intake.add(comment(), CLIENT)
    assert (refused.value.code, refused.value.field) == ("not_found", "service_request_id")
    assert intake.access_log.events() == []
