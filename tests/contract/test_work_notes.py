"""What routing may rely on when it hands a note over: intake's call, and the fake of it."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx
import pytest
from fastapi import FastAPI

from direct311.intake.request import WORK_NOTES
from direct311.intake.work_notes import handlers
from direct311.intake.work_notes.api import work_notes_router
from direct311.intake.work_notes.handlers import SealWorkNote
from direct311.routing.work.adapters.intake import IntakeWorkNotes, UnsealedNoteError
from direct311.routing.work.domain import NoteRefusedError, OriginalNote
from direct311.routing.work.ports import WorkNotes
from direct311.runtime.errors import TransientError
from direct311.runtime.http.api import caller_of, install
from direct311.runtime.http.health import Readiness
from direct311.runtime.peers import HttpClient, Peer
from direct311.runtime.telemetry import Metrics
from tests.support.intake import IntakeUnderTest
from tests.support.work_notes import InMemoryWorkNotes

pytestmark = pytest.mark.anyio

WORDS = 'Spoke to the owner: "call 754-555-0186".\n\tDone. 🐶\u200b'


@dataclass
class Sealing:
    notes: WorkNotes
    sealed: Callable[[], int]
    away: Callable[[bool], None]
    destroy: Callable[[str], Awaitable[None]]


class OwnTokens:
    """The token of a service, as the fake sign-in reads it."""

    def __init__(self, service: str = "svc-routing") -> None:
        self.service = service

    async def get(self) -> str:
        return f"service:{self.service}"

    async def exchanged(self, authorization: str) -> str:
        raise AssertionError("routing hands notes over on its own behalf")


class Intake(IntakeUnderTest):
    """Intake behind HTTP."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = OwnTokens()
        seal = SealWorkNote(
            processor=self.processor,
            vault=self.vault,
            ids=self.ids,
            content_key=self.indexes.content_key,
        )
        self.app = FastAPI()
        install(self.app, Readiness(), Metrics(), self.ledger)
        self.app.include_router(work_notes_router(seal, caller_of(self.authenticator)))

    def client(self) -> IntakeWorkNotes:
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        http = HttpClient(transport=transport)
        return IntakeWorkNotes(Peer("http://intake.test", http, self.tokens))

    def be_away(self, away: bool) -> None:
        self.access_log.down = away

    async def destroy(self, record_id: str) -> None:
        state = self.state(record_id).model_copy(update={"lifecycle": "destroyed"})
        await self.records.put(state, self.clock.now())


async def over_http() -> Sealing:
    intake = Intake()
    await intake.request("r-1")
    await intake.request("r-2")

    def sealed() -> int:
        return sum(len(intake.state(each).work_notes) for each in ("r-1", "r-2"))

    return Sealing(intake.client(), sealed, intake.be_away, intake.destroy)


async def in_memory() -> Sealing:
    notes = InMemoryWorkNotes()
    notes.gone.add("nowhere")

    def away(is_away: bool) -> None:
        notes.away = is_away

    async def destroy(record_id: str) -> None:
        notes.gone.add(record_id)

    return Sealing(notes, lambda: len(notes.sealed), away, destroy)


@pytest.fixture(params=[in_memory, over_http])
async def sealing(request: pytest.FixtureRequest) -> Sealing:
    found: Sealing = await request.param()
    return found


def original(
    update_id: str = "u-1", text: str = WORDS, department: str = "parks", record_id: str = "r-1"
) -> OriginalNote:
    return OriginalNote(record_id, department, update_id, text)


async def test_a_note_is_sealed_once_however_often_it_is_handed_over(sealing: Sealing) -> None:
    for _ in range(3):
        await sealing.notes.seal(original())
    assert sealing.sealed() == 1


async def test_record_department_and_id_make_a_note_another_one(sealing: Sealing) -> None:
    await sealing.notes.seal(original())
    await sealing.notes.seal(original("u-2"))
    await sealing.notes.seal(original(department="solid_waste", text="Ours."))
    await sealing.notes.seal(original(record_id="r-2", text="Elsewhere."))
    assert sealing.sealed() == 4


async def test_other_words_under_the_same_id_are_refused(sealing: Sealing) -> None:
    await sealing.notes.seal(original())
    with pytest.raises(NoteRefusedError) as refused:
        await sealing.notes.seal(original(text="Other words."))
    assert refused.value.code == "malformed"
    assert sealing.sealed() == 1


async def test_a_request_that_is_not_there_takes_none(sealing: Sealing) -> None:
    await sealing.destroy("r-2")
    for record_id in ("nowhere", "r-2"):
        with pytest.raises(NoteRefusedError) as refused:
            await sealing.notes.seal(original(record_id=record_id))
        assert refused.value.code == "unknown_record"


async def test_what_cannot_be_sealed_now_is_sealed_later(sealing: Sealing) -> None:
    sealing.away(True)
    with pytest.raises(TransientError):
        await sealing.notes.seal(original())
    assert sealing.sealed() == 0
    sealing.away(False)
    await sealing.notes.seal(original())
    assert sealing.sealed() == 1


# ---------------------------------------------------------------- intake's call


async def test_the_words_arrive_as_they_were_written() -> None:
    intake = Intake()
    await intake.request()
    await intake.client().seal(original())
    assert json.loads(intake.unsealed(WORK_NOTES))["parks-u-1"]["note"] == WORDS


async def test_a_full_request_says_so_to_the_department(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "MOST_SEALED", 0)
    intake = Intake()
    await intake.request()
    with pytest.raises(NoteRefusedError) as refused:
        await intake.client().seal(original())
    assert refused.value.code == "malformed"


async def test_a_key_that_is_gone_is_for_operators() -> None:
    intake = Intake()
    await intake.request()
    await intake.keys.destroy("r-1")
    with pytest.raises(UnsealedNoteError) as error:
        await intake.client().seal(original())
    assert "754" not in f"{error.value}{error.value.__context__!r}"


async def test_an_intake_that_lets_routing_in_no_more_is_waited_for() -> None:
    intake = Intake()
    await intake.request()
    intake.tokens.service = "svc-media"
    with pytest.raises(TransientError):
        await intake.client().seal(original())


async def test_an_intake_without_this_call_is_waited_for() -> None:
    intake = Intake()
    await intake.request()
    intake.app = FastAPI()
    install(intake.app, Readiness(), Metrics(), intake.ledger)
    with pytest.raises(TransientError):
        await intake.client().seal(original())
