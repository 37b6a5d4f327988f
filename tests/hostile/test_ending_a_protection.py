"""Who wants a protection gone: alone, without a written word, under two names, or in a hurry.

Against the handlers and the API in process; the last tests against the running stack.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from direct311.intake.protection.domain import Ending, Protection
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.http.problem_codes import status_of
from tests.contract.test_smtp import settings
from tests.support.county import County, until
from tests.support.links import bearer
from tests.support.submissions import submission
from tests.unit.intake.protection.test_protect import (
    A_WEEK,
    CARLA,
    LETTER,
    OTTO,
    PERSON,
    ProtectingIntake,
)

pytestmark = pytest.mark.anyio

MOMENT = timedelta(milliseconds=1)
OTHER = bearer("custodian:berta")


def _caller(sub: str, role: str = "records_officer") -> Caller:
    return Caller(sub, roles=(role,))


@pytest.fixture
def intake() -> ProtectingIntake:
    return ProtectingIntake()


@pytest.fixture
def entry(intake: ProtectingIntake) -> str:
    entered = intake.enter(**PERSON)
    assert entered.status_code == 201
    return str(entered.json()["protection_id"])


def _stands(intake: ProtectingIntake, entry: str) -> None:
    """The entry protects as it did."""
    kept = intake.store.kept[entry]
    assert (kept.withdrawn_at, bool(kept.hashes)) == (None, True)


NO_REFERENCES: dict[str, Any] = {
    "nothing": "",
    "a blank": " ",
    "a dash": "-",
    "dashes": "- - -",
    "dots": "...",
    "nothing seen": "\u200b\u200b\u200b",
    "fillers of Hangul": "\u3164\u3164",
    "another direction": "\u202e\u202c",
    "a mark alone": "\u0301",
    "not applicable": "n/a",
    "none": "none",
    "words without a number": "because she said so",
    "a nought": "0",
    "noughts again and again": "PR-0000",
    "a nought behind nothing seen": "\u2060\u20600",
    "a picture": "\U0001f4c4",
    "a formula": "=1+2",
    "a tag": "<b>PR-7</b>",
    "too long": "PR-7 " * 60,
    "null": None,
    "a list": ["PR-7"],
    "a number": 7,
}


@pytest.mark.parametrize("reference", NO_REFERENCES.values(), ids=NO_REFERENCES)
async def test_without_a_written_reference_nothing_is_proposed(
    intake: ProtectingIntake, entry: str, reference: Any
) -> None:
    assert intake.propose(entry, reference).status_code == 422
    assert intake.read(entry)["ending"] is None
    # Nor confirmed.
    assert intake.propose(entry).status_code == 200
    assert intake.confirm(entry, reference).status_code == 422
    intake.clock.at += 2 * A_WEEK
    await intake.protect.end_what_is_due()
    _stands(intake, entry)


ONE_PERSON = {
    "the same": ("carla", "carla"),
    "in capitals": ("carla", "CARLA"),
    "with a capital": ("carla", "Carla"),
    "with a blank": ("carla", "carla "),
    "with a blank within": ("carla", "car la"),
    "with nothing seen": ("carla", "car\u200bla"),
    "with a filler": ("carla", "carla\u3164"),
    "with an accent": ("carla", "carlá"),
    "with an accent apart": ("carla", "carla\u0301"),
    "in wide letters": ("carla", "ｃａｒｌａ"),  # noqa: RUF001
    "in Cyrillic letters": ("carla", "с\u0430rl\u0430"),  # noqa: RUF001
    "with a dot": ("carla", "c.arla"),
    "with a tag": ("carla@county.example", "carla+officer@county.example"),
    "without a tag": ("carla+custodian@county.example", "Carla@County.example"),
    "in another direction": ("carla", "\u202ecarla"),
    "in letters of mathematics": ("carla", "𝒸𝒶𝓇𝓁𝒶"),  # noqa: RUF001
    "nobody": ("carla", ""),
    "nobody seen": ("carla", "\u200b"),
}


@pytest.mark.parametrize(("one", "other"), ONE_PERSON.values(), ids=ONE_PERSON)
@pytest.mark.parametrize("role", ["custodian", "records_officer"])
async def test_one_person_is_not_two(
    intake: ProtectingIntake, entry: str, one: str, other: str, role: str
) -> None:
    await intake.protect.propose_ending(_caller(one, "custodian"), entry, LETTER)
    with pytest.raises(RefusedError) as refused:
        await intake.protect.confirm_ending(_caller(other, role), entry, LETTER)
    assert (status_of(refused.value), refused.value.code) == (403, "same_person")
    intake.clock.at += 2 * A_WEEK
    await intake.protect.end_what_is_due()
    _stands(intake, entry)


ONE_FILE = {
    "in small letters": ("PR-7", "pr-7"),
    "with another dash": ("PR-7", "PR\u20137"),
    "in wide letters": ("PR-7", "\uff30\uff32-\uff17"),
    "with blanks": ("PR 7", " PR   7 "),
    "in capitals with accents": ("Expediente n\u00fam. 7", "EXPEDIENTE N\u00daM. 7"),
}


@pytest.mark.parametrize(("one", "other"), ONE_FILE.values(), ids=ONE_FILE)
async def test_one_file_is_one_however_it_is_typed(
    intake: ProtectingIntake, entry: str, one: str, other: str
) -> None:
    assert intake.propose(entry, one).status_code == 200
    assert intake.propose(entry, other).status_code == 200
    confirmed = intake.confirm(entry, other)
    assert confirmed.status_code == 200, confirmed.text
    assert confirmed.json()["ending"]["ends_at"]


Step = Callable[[ProtectingIntake, str], Any]
OUT_OF_ORDER: dict[str, Sequence[tuple[Step, int]]] = {
    "confirmed and never proposed": [(lambda w, e: w.confirm(e), 409)],
    "undone and never proposed": [(lambda w, e: w.undo(e), 409)],
    "proposed alone": [(lambda w, e: w.propose(e), 200)],
    "proposed twice by one": [(lambda w, e: w.propose(e), 200), (lambda w, e: w.propose(e), 200)],
    "proposed by two": [
        (lambda w, e: w.propose(e), 200),
        (lambda w, e: w.propose(e, LETTER, OTHER), 409),
    ],
    "proposed for two files": [
        (lambda w, e: w.propose(e), 200),
        (lambda w, e: w.propose(e, "PR-8"), 409),
    ],
    "confirmed for another file": [
        (lambda w, e: w.propose(e), 200),
        (lambda w, e: w.confirm(e, "PR-8"), 409),
    ],
    "confirmed after it was undone": [
        (lambda w, e: w.propose(e), 200),
        (lambda w, e: w.undo(e), 200),
        (lambda w, e: w.confirm(e), 409),
    ],
    "an old confirmation for a new proposal": [
        (lambda w, e: w.propose(e), 200),
        (lambda w, e: w.confirm(e), 200),
        (lambda w, e: w.undo(e), 200),
        (lambda w, e: w.propose(e), 200),
    ],
    "deleted by one": [
        (lambda w, e: w.http.delete(f"/v1/protections/{e}", headers=CARLA), 405),
    ],
    "proposed by an officer": [(lambda w, e: w.propose(e, LETTER, OTTO), 403)],
    "proposed by an agent": [(lambda w, e: w.propose(e, LETTER, bearer("agent:a")), 403)],
    "confirmed by an agent": [
        (lambda w, e: w.propose(e), 200),
        (lambda w, e: w.confirm(e, LETTER, bearer("agent:a")), 403),
    ],
    "confirmed by an administrator": [
        (lambda w, e: w.propose(e), 200),
        (lambda w, e: w.confirm(e, LETTER, bearer("admin:a")), 403),
    ],
    "destroyed while it waits": [
        (lambda w, e: w.propose(e), 200),
        (lambda w, e: w.confirm(e), 200),
        (lambda w, e: w.http.post(f"/v1/protections/{e}/disposal", headers=CARLA), 409),
        (lambda w, e: w.undo(e), 200),
    ],
    "undone at once": [
        (lambda w, e: w.propose(e), 200),
        (lambda w, e: w.confirm(e), 200),
        (lambda w, e: w.undo(e, OTTO), 200),
    ],
    "no such entry": [
        (lambda w, _: w.propose("01234567-89ab-7def-8123-456789abcdef"), 404),
        (lambda w, _: w.confirm("01234567-89ab-7def-8123-456789abcdef"), 404),
        (lambda w, _: w.undo("01234567-89ab-7def-8123-456789abcdef"), 404),
    ],
}


@pytest.mark.parametrize("steps", OUT_OF_ORDER.values(), ids=OUT_OF_ORDER)
async def test_out_of_order_it_stands_however_long_it_waits(
    intake: ProtectingIntake, entry: str, steps: Sequence[tuple[Step, int]]
) -> None:
    for step, status in steps:
        assert step(intake, entry).status_code == status
    intake.clock.at += timedelta(days=400)
    await intake.protect.end_what_is_due()
    _stands(intake, entry)


TOO_SOON = {
    "at once": timedelta(0),
    "after a minute": timedelta(minutes=1),
    "after six days": timedelta(days=6),
    "a moment before": A_WEEK - MOMENT,
    "with the clock set back": -A_WEEK,
}


@pytest.mark.parametrize("after", TOO_SOON.values(), ids=TOO_SOON)
async def test_before_the_week_is_over_it_stands_and_can_be_undone(
    intake: ProtectingIntake, entry: str, after: timedelta
) -> None:
    intake.propose(entry)
    # The week begins with the second person, not with the first.
    intake.clock.at += 3 * A_WEEK
    intake.confirm(entry)
    intake.clock.at += after
    await intake.protect.end_what_is_due()
    _stands(intake, entry)
    assert intake.undo(entry).status_code == 200
    intake.clock.at += 2 * A_WEEK
    await intake.protect.end_what_is_due()
    _stands(intake, entry)


async def test_a_second_confirmation_brings_the_end_no_nearer_and_no_other_name(
    intake: ProtectingIntake, entry: str
) -> None:
    intake.propose(entry)
    first = intake.confirm(entry).json()["ending"]
    intake.clock.at += timedelta(days=3)
    assert intake.confirm(entry).json()["ending"] == first
    assert intake.confirm(entry, LETTER, OTHER).json()["title"] == "confirmed"
    assert intake.read(entry)["ending"] == first


async def test_after_the_end_nothing_is_undone_and_nothing_ends_twice(
    intake: ProtectingIntake, entry: str
) -> None:
    await intake.end(entry)
    assert intake.undo(entry).json()["title"] == "ended"
    moved = intake.store.version
    await intake.protect.end_what_is_due()
    assert intake.store.version == moved


async def _undone_meanwhile(intake: ProtectingIntake, entry: str) -> None:
    await intake.store.undo_ending(entry, _ending(intake, entry).ending_id)


def _ending(intake: ProtectingIntake, entry: str) -> Ending:
    ending = intake.store.kept[entry].ending
    assert ending is not None
    return ending


async def test_who_undoes_while_the_job_has_it_in_hand_is_heard(
    intake: ProtectingIntake, entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake.propose(entry)
    intake.confirm(entry)
    intake.clock.at += A_WEEK
    due = intake.store.due_endings

    async def read_then_undone(at: datetime) -> Sequence[Protection]:
        found = await due(at)
        await _undone_meanwhile(intake, entry)
        return found

    monkeypatch.setattr(intake.store, "due_endings", read_then_undone)
    await intake.protect.end_what_is_due()
    _stands(intake, entry)


async def test_a_new_proposal_while_the_job_has_the_old_one_in_hand_is_not_ended(
    intake: ProtectingIntake, entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake.propose(entry)
    intake.confirm(entry)
    intake.clock.at += A_WEEK
    due = intake.store.due_endings

    async def read_then_new(at: datetime) -> Sequence[Protection]:
        found = await due(at)
        old = _ending(intake, entry)
        await _undone_meanwhile(intake, entry)
        await intake.store.propose_ending(entry, old.model_copy(update={"ending_id": "another"}))
        return found

    monkeypatch.setattr(intake.store, "due_endings", read_then_new)
    await intake.protect.end_what_is_due()
    _stands(intake, entry)


async def test_a_confirmation_that_comes_after_the_undoing_confirms_nothing(
    intake: ProtectingIntake, entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake.propose(entry)
    confirm = intake.store.confirm_ending

    async def late(protection_id: str, ending: Ending) -> None:
        await _undone_meanwhile(intake, entry)
        await intake.store.propose_ending(
            entry, Ending(**{**dict(ending), "ending_id": "another", "confirmed_at": None,
                             "confirmed_by": None, "ends_at": None})
        )  # fmt: skip
        await confirm(protection_id, ending)

    monkeypatch.setattr(intake.store, "confirm_ending", late)
    assert intake.confirm(entry).status_code == 409
    assert _ending(intake, entry).confirmed_by is None


async def test_of_two_who_confirm_at_once_one_does(
    intake: ProtectingIntake, entry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake.propose(entry)
    confirm = intake.store.confirm_ending

    async def beaten(protection_id: str, ending: Ending) -> None:
        first = ending.model_copy(update={"confirmed_by": "olga"})
        await confirm(protection_id, first)
        await confirm(protection_id, ending)

    monkeypatch.setattr(intake.store, "confirm_ending", beaten)
    assert intake.confirm(entry).json()["title"] == "confirmed"
    assert _ending(intake, entry).confirmed_by == "olga"


class KilledError(BaseException):
    """The process ends here."""


STEPS = ("propose_ending", "confirm_ending", "undo_ending", "end")


@pytest.mark.parametrize("step", STEPS)
async def test_killed_between_the_log_and_the_registry_a_step_is_taken_again(
    intake: ProtectingIntake, entry: str, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "propose_ending": lambda: intake.protect.propose_ending(
            _caller("carla", "custodian"), entry, LETTER
        ),
        "confirm_ending": lambda: intake.protect.confirm_ending(_caller("otto"), entry, LETTER),
        "undo_ending": lambda: intake.protect.undo_ending(_caller("otto"), entry),
        "end": intake.protect.end_what_is_due,
    }
    before = {"propose_ending": 0, "confirm_ending": 1, "undo_ending": 2, "end": 2}[step]
    for each in STEPS[:before]:
        await calls[each]()
    if step == "end":
        intake.clock.at += A_WEEK

    async def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(intake.store, step, killed)
        with pytest.raises(KilledError):
            await calls[step]()
    _stands(intake, entry)
    await calls[step]()
    ending = intake.store.kept[entry].ending
    assert {
        "propose_ending": ending is not None and ending.confirmed_by is None,
        "confirm_ending": ending is not None and ending.confirmed_by == "otto",
        "undo_ending": ending is None,
        "end": intake.store.kept[entry].hashes == (),
    }[step]


@pytest.mark.parametrize("step", ["propose", "confirm", "undo"])
async def test_what_cannot_be_written_down_is_not_done(
    intake: ProtectingIntake, entry: str, step: str
) -> None:
    if step != "propose":
        intake.propose(entry)
    before = intake.store.kept[entry]
    intake.access_log.down = True
    assert getattr(intake, step)(entry).status_code == 503
    assert intake.store.kept[entry] == before


async def test_each_step_is_in_the_log_with_its_person_and_its_file(
    intake: ProtectingIntake, entry: str
) -> None:
    intake.propose(entry)
    intake.confirm(entry)
    intake.undo(entry)
    await intake.end(entry)
    said = [
        (event.agent.id, event.where.operation.rpartition("}")[2], event.why.justification)
        for event in intake.access_log.events()[1:]
    ]
    assert said == [
        ("carla", "/ending", LETTER),
        ("otto", "/ending/confirmation", LETTER),
        ("carla", "/ending", None),
        ("carla", "/ending", LETTER),
        ("otto", "/ending/confirmation", LETTER),
        ("svc:intake", "end a protection", LETTER),
    ]


@pytest.mark.parametrize("environment", ["production", "local"])
@pytest.mark.parametrize("short", ["0", "PT1S", "P6DT23H59M59S", "-P7D"])
def test_no_setting_takes_the_week_away(environment: str, short: str) -> None:
    with pytest.raises(ValidationError):
        settings(1, environment=environment, smtp_host=None, undone_within=short)
    assert settings(1, environment=environment, smtp_host=None).undone_within == A_WEEK
    longer = settings(1, environment=environment, smtp_host=None, undone_within="P30D")
    assert longer.undone_within == timedelta(days=30)


PROTECTED = {"reference": "PR-31", "citation": "section 119.071(4)(d)2.a., F.S."}


@pytest.mark.e2e
async def test_on_the_running_stack_one_person_ends_nothing_and_two_take_their_time(
    county: County,
) -> None:
    phone = "786-555-0177"
    record_id = await county.accepted(
        submission(960, place={"lat": "25.6312", "long": "-80.4123"}, phone=phone)
    )
    await county.routed(record_id)
    answer = await county.post(
        "intake", "/v1/protections", PROTECTED | {"phone": phone}, "custodian", "carla"
    )
    path = f"/v1/protections/{answer['protection_id']}"
    letter = {"reference": "PR-32"}

    async def step(
        method: str, what: str, role: str, name: str, body: object = None
    ) -> tuple[int, Any]:
        found = await county.ask(method, "intake", f"{path}{what}", role, name, body)
        return found.status_code, found.json() if found.content else None

    async def hidden() -> bool:
        return (await county.request(record_id))["lat"] is None

    assert await hidden()
    assert (await step("DELETE", "", "custodian", "carla"))[0] == 405
    dash = {"reference": "\u2014"}
    assert (await step("POST", "/ending", "custodian", "carla", dash))[0] == 422
    assert (await step("POST", "/ending", "custodian", "carla", letter))[0] == 200
    for name in ("carla", "CARLA", "c.arla"):
        again = await step("POST", "/ending/confirmation", "custodian", name, letter)
        assert again[0] == 403
    status, confirmed = await step(
        "POST", "/ending/confirmation", "records_officer", "otto", letter
    )
    assert (status, confirmed["in_force"]) == (200, True)
    assert await hidden()
    status, undone = await step("DELETE", "/ending", "records_officer", "otto")
    assert (status, undone["in_force"], undone["ending"]) == (200, True, None)
    await county.unprotect(answer["protection_id"])

    async def shown() -> bool:
        return not await hidden()

    await until(shown, "the request shows again")
    status, over = await step("DELETE", "/ending", "custodian", "carla")
    assert (status, over["title"]) == (409, "ended")
    operations = [
        str(message.value).count("/ending") for message in await county.messages("pii.accessed")
    ]
    assert sum(operations) >= 4
