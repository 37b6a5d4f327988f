"""What people decide: who, when, under which exemption, against which version; each once."""

import asyncio
import json
from datetime import timedelta

import pytest

from direct311.intake.review.domain.reviews import CaseReview
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from tests.support.disclosures import CASE, DAY
from tests.support.reviews import CARLA, KURT, RECORD, ReviewDesk, ended

pytestmark = pytest.mark.anyio

NOTES = {"parks-1": {"department": "parks", "update_id": "1", "note": "SSN 078-05-1120, ok"}}
PLAIN = {
    "first_name": "Zora",
    "phone": "305-555-0142",
    "reporter_address": "12 Elm Street",
    "description": "The dog of my neighbor barks.",
    "work_notes": json.dumps(NOTES),
}
NUMBER = "work_notes/parks-1:4-15"
HOME = "protected_person"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def desk() -> ReviewDesk:
    desk = ReviewDesk()
    await desk.granted()
    await desk.request(PLAIN)
    await desk.review()
    return desk


async def refusal(desk: ReviewDesk, *choices: tuple[str, str | None], **more: object) -> str:
    with pytest.raises(RefusedError) as refused:
        await desk.decide(*choices, **more)  # type: ignore[arg-type]
    return refused.value.code


def decided(review: CaseReview) -> dict[str, tuple[str | None, str]]:
    return {each.item: (each.code, each.decided_by) for each in review.decisions}


async def test_a_decision_says_who_when_and_under_which_code(desk: ReviewDesk) -> None:
    review = await desk.decide((NUMBER, "social_security_number"), ("description:0-7", HOME))
    assert decided(review) == {
        "description:0-7": (HOME, "carla"),
        NUMBER: ("social_security_number", "carla"),
    }
    assert {each.decided_at for each in review.decisions} == {desk.intake.clock.now()}
    assert {each.version for each in review.decisions} == {1}
    assert review.is_decided()
    event = desk.told[-1]
    assert (event.action, event.why.case_id) == ("redact", CASE)
    assert event.what.redactions == ("social_security_number", HOME)


async def test_what_nobody_decided_keeps_the_record_undecided(desk: ReviewDesk) -> None:
    review = await desk.decide(("description:0-7", HOME))
    assert review.undecided() == (NUMBER,)
    assert not review.is_decided()
    assert (await desk.decide((NUMBER, "social_security_number"))).is_decided()


async def test_withholding_a_whole_entry_decides_what_is_in_it(desk: ReviewDesk) -> None:
    assert (await desk.decide(("work_notes/parks-1", "attorney_work"))).is_decided()


async def test_a_record_without_proposals_is_reviewed_when_somebody_says_so(
    desk: ReviewDesk,
) -> None:
    await desk.changed({"description": "A dog barks."})
    reviewed = await desk.review()
    assert not reviewed.review.is_decided()
    assert (await desk.decide()).is_decided()


async def test_a_record_that_changed_is_reviewed_again(desk: ReviewDesk) -> None:
    await desk.decide((NUMBER, "social_security_number"))
    await desk.changed(PLAIN | {"description": "Something else."})
    assert await refusal(desk, ("phone", HOME)) == "changed"
    review = (await desk.review()).review
    assert review.version == 2
    assert review.decisions == ()
    assert not review.confirmed
    assert await refusal(desk, ("phone", HOME), version=1) == "changed"


async def test_what_only_moves_the_version_is_no_change(desk: ReviewDesk) -> None:
    request = desk.intake.state(RECORD)
    await desk.intake.put(request.held("hold-1").written(7))
    review = await desk.decide((NUMBER, "social_security_number"))
    assert review.version == 1
    assert (await desk.review()).review.is_decided()


async def test_nobody_decides_before_looking() -> None:
    desk = ReviewDesk()
    await desk.granted()
    await desk.request(PLAIN)
    assert await refusal(desk, ("phone", HOME)) == "not_reviewed"


@pytest.mark.policy("P13")
@pytest.mark.parametrize(
    ("item", "code"),
    [
        ("phone", "no_such_code"),
        ("phone", "attorney_work"),
        ("description", "cybersecurity"),
    ],
)
async def test_a_redaction_needs_a_code_in_force_for_the_field(
    desk: ReviewDesk, item: str, code: str
) -> None:
    assert await refusal(desk, (item, code)) == "exemption"
    assert not (await desk.store.of(RECORD)).cases[CASE].decisions


async def test_a_code_that_was_repealed_is_refused() -> None:
    desk = ReviewDesk(ended("victim"))
    await desk.granted()
    await desk.request(PLAIN)
    await desk.review()
    assert await refusal(desk, ("phone", "victim")) == "exemption"
    assert await refusal(desk, ("phone", HOME), ("first_name", "victim")) == "exemption"
    assert not (await desk.store.of(RECORD)).cases[CASE].decisions


@pytest.mark.parametrize(
    "item",
    ["email", "last_name", "description:0-300", "description:5-5", "updates/x", "nonsense:1", ""],
)
async def test_an_item_must_be_one_of_the_record(desk: ReviewDesk, item: str) -> None:
    assert await refusal(desk, (item, HOME)) == "item"


async def test_an_item_is_decided_once_in_a_call(desk: ReviewDesk) -> None:
    assert await refusal(desk, ("phone", HOME), ("phone", None)) == "item"


@pytest.mark.policy("P13")
async def test_only_counsel_lifts_what_is_confidential(desk: ReviewDesk) -> None:
    assert await refusal(desk, (NUMBER, None)) == "lifted_by"
    both = Caller("carla", ("custodian", "records_officer"))
    assert await refusal(desk, (NUMBER, None), caller=both) == "lifted_by"
    review = await desk.decide((NUMBER, None), caller=KURT)
    assert decided(review) == {NUMBER: (None, "kurt")}
    assert review.is_decided()
    # Sent again by somebody else, it is still counsel's.
    assert decided(await desk.decide((NUMBER, None))) == {NUMBER: (None, "kurt")}
    # Anybody may withhold it after all, and then only counsel lifts it again.
    await desk.decide((NUMBER, "social_security_number"))
    assert await refusal(desk, (NUMBER, None)) == "lifted_by"


async def test_what_a_custodian_withheld_a_custodian_releases(desk: ReviewDesk) -> None:
    await desk.decide(("phone", HOME))
    assert decided(await desk.decide(("phone", None)))["phone"] == (None, "carla")


async def test_a_decision_that_is_stored_twice_is_one(desk: ReviewDesk) -> None:
    first = await desk.decide(("phone", HOME), (NUMBER, "social_security_number"))
    version = (await desk.store.of(RECORD)).version
    desk.intake.clock.at += timedelta(minutes=5)
    again = await desk.decide(("phone", HOME), (NUMBER, "social_security_number"))
    assert again == first
    assert (await desk.store.of(RECORD)).version == version
    changed = await desk.decide(("phone", "victim"))
    assert decided(changed)["phone"] == ("victim", "carla")
    assert decided(changed)[NUMBER] == ("social_security_number", "carla")


async def test_people_who_decide_at_the_same_time_lose_nothing(desk: ReviewDesk) -> None:
    items = ["phone", "first_name", "reporter_address", "description:0-3", "description:4-7"]
    callers = [CARLA, KURT]
    await asyncio.gather(
        *(
            desk.decide((item, HOME), caller=callers[number % 2])
            for number, item in enumerate(items * 2)
        )
    )
    review = (await desk.store.of(RECORD)).cases[CASE]
    assert sorted(each.item for each in review.decisions) == sorted(items)


async def test_a_write_that_loses_the_race_is_made_again(
    desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, tried = desk.store.store, 0

    async def after_somebody_else(reviews: object) -> bool:
        nonlocal tried
        tried += 1
        if tried == 1:
            monkeypatch.setattr(desk.store, "store", store)
            await desk.decide(("phone", HOME), caller=KURT)
            monkeypatch.setattr(desk.store, "store", after_somebody_else)
        return await store(reviews)  # type: ignore[arg-type]

    monkeypatch.setattr(desk.store, "store", after_somebody_else)
    review = await desk.decide(("phone", HOME), (NUMBER, "social_security_number"))
    assert tried == 2
    # Two people decided the same; the first one's stands.
    assert decided(review) == {
        "phone": (HOME, "kurt"),
        NUMBER: ("social_security_number", "carla"),
    }


async def test_decisions_are_offered_again_next_time(desk: ReviewDesk) -> None:
    await desk.decide(("description:0-7", HOME), (NUMBER, "social_security_number"))
    desk.intake.clock.at += timedelta(minutes=5)
    await desk.granted(case_id="case-2", grant_id="g-2")
    reviewed = await desk.review(case_id="case-2")
    assert {(each.item, each.code) for each in reviewed.offered} == {
        ("description:0-7", HOME),
        (NUMBER, "social_security_number"),
    }
    assert reviewed.review.undecided() == (NUMBER,)
    # A text that is another one now needs another look.
    await desk.changed(PLAIN | {"description": "The cat of my neighbor."})
    offered = (await desk.review()).offered
    assert [each.item for each in offered] == [NUMBER]


async def test_no_case_of_law_enforcement_shows_in_another_one(desk: ReviewDesk) -> None:
    secret = {"case_id": "case-9", "grant_id": "g-9", "kind": "law_enforcement"}
    await desk.granted(**secret, workers=("lea",))
    lea = Caller("lea", ("liaison",))
    await desk.review(lea, "case-9")
    await desk.decide(
        ("description:0-3", "active_criminal_intelligence"),
        (NUMBER, "social_security_number"),
        caller=lea,
        case_id="case-9",
    )
    await desk.rendering(lea, "case-9", RECORD, "agency")
    reviewed = await desk.review()
    assert not reviewed.offered
    assert not any(each.went_out for each in reviewed.proposals)


async def test_reviews_are_destroyed_with_the_record_and_counted(desk: ReviewDesk) -> None:
    await desk.decide(("phone", HOME))
    assert await desk.forget(RECORD) == 1
    assert await desk.forget(RECORD) == 1
    assert not (await desk.store.of(RECORD)).cases
    assert await desk.forget("record-2") == 0
    # Somebody who was just deciding stores nothing any more.
    assert not await desk.store.store(await desk.store.of(RECORD))
    desk.intake.clock.at += 2 * DAY
    await desk.forget.sweep()
    assert not desk.store.notes


async def test_what_a_kill_left_behind_is_swept(desk: ReviewDesk) -> None:
    await desk.forget.sweep()
    assert (await desk.store.of(RECORD)).cases
    await desk.intake.put(desk.intake.state(RECORD).buried())
    await desk.forget.sweep()
    assert not (await desk.store.of(RECORD)).cases
