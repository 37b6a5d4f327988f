"""What a reviewer is shown, and what is proposed to be withheld."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from direct311.intake.review.handlers.review import Proposal, Reviewed
from direct311.runtime.access.disclosures import KeptDisclosure
from direct311.runtime.access.exemptions import load_exemptions
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.vault.vault import DeniedError
from tests.support.disclosures import CASE
from tests.support.reviews import CARLA, KURT, RECORD, ReviewDesk

pytestmark = pytest.mark.anyio

ORDINARY = {
    "first_name": "Zora",
    "last_name": "Hurston",
    "phone": "305-555-0142",
    "email": "zora@example.org",
    "description": "Call me at 305-555-0142. The dog is at 1020 NW 5th St.",
}
SSN = "078-05-1120"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def desk() -> ReviewDesk:
    desk = ReviewDesk()
    await desk.granted()
    return desk


def found(reviewed: Reviewed) -> dict[str, str]:
    return {str(each.item): each.exemption.code for each in reviewed.proposals}


def proposal(reviewed: Reviewed, item: str) -> Proposal:
    (one,) = [each for each in reviewed.proposals if str(each.item) == item]
    return one


@pytest.mark.policy("P13")
async def test_an_ordinary_reporters_name_and_telephone_are_public(desk: ReviewDesk) -> None:
    await desk.request(ORDINARY)
    reviewed = await desk.review()
    assert reviewed.texts == ORDINARY
    assert not reviewed.proposals
    assert not reviewed.flags


async def test_the_review_is_an_access_under_the_case(desk: ReviewDesk) -> None:
    await desk.request(ORDINARY)
    await desk.review()
    (event,) = desk.told
    assert (event.action, event.outcome, event.why.case_id) == ("view", "success", CASE)
    assert event.agent.id == "carla"
    assert {"phone", "description"} <= set(event.what.fields)


async def test_a_review_is_stored_without_any_text(desk: ReviewDesk) -> None:
    work_notes = {"parks-1": {"department": "parks", "update_id": "1", "note": f"SSN {SSN}"}}
    await desk.request(ORDINARY | {"work_notes": json.dumps(work_notes)})
    await desk.review()
    stored = (await desk.store.of(RECORD)).model_dump_json()
    for text in (*ORDINARY.values(), SSN):
        assert text not in stored


@pytest.mark.policy("P13")
async def test_a_protected_person_by_telephone_has_the_home_withheld_too(desk: ReviewDesk) -> None:
    await desk.request(ORDINARY | {"reporter_address": "12 Elm Street"})
    await desk.protect("phone", "(305) 555-0142")
    reviewed = await desk.review()
    assert found(reviewed) == {
        "description:11-23": "protected_person",
        "phone": "protected_person",
        "reporter_address": "protected_person",
    }
    for each in reviewed.proposals:
        assert each.exemption.citation == "119.071(4)(d)"
        assert each.preset


async def test_a_protected_home_is_found_in_texts_however_it_is_written(desk: ReviewDesk) -> None:
    text = "Trash at 77 Palm   street, next to 79 Palm Street. Twice 77 palm St!"
    await desk.request(ORDINARY | {"description": text})
    await desk.protect("address", "77 Palm Street")
    reviewed = await desk.review()
    spans = [each.item for each in reviewed.proposals]
    assert [text[slice(each.start, each.end)] for each in spans] == [
        "77 Palm   street",
        "77 palm St",
    ]
    assert {each.exemption.citation for each in reviewed.proposals} == {"119.071(4)(d)"}


async def test_a_neighbor_of_a_protected_home_is_an_ordinary_reporter(desk: ReviewDesk) -> None:
    await desk.request(ORDINARY, protected=True)
    await desk.protect("address", "1020 NW 5th St")
    reviewed = await desk.review()
    assert [str(each.item) for each in reviewed.proposals] == ["description:39-53"]
    assert reviewed.flags == ["protected"]


async def test_names_and_mailboxes_are_proposed_only_if_the_registry_has_them(
    desk: ReviewDesk,
) -> None:
    comments = [{"at": "2026-11-01T00:00:00Z", "text": "My name is Ana Ruiz, ana@example.org"}]
    await desk.request(ORDINARY | {"comments": json.dumps(comments)})
    assert not (await desk.review()).proposals
    await desk.protect("name", "Ana Ruiz")
    await desk.protect("email", "ana@example.org")
    reviewed = await desk.review()
    assert found(reviewed) == {
        "comments/0:11-19": "protected_person",
        "comments/0:21-36": "protected_person",
    }
    await desk.protect("name", "Zora Hurston")
    assert {"first_name", "last_name", "phone"} <= found(await desk.review()).keys()


async def test_a_protected_sender_of_a_comment_is_recognized(desk: ReviewDesk) -> None:
    senders = {"u-1": {"phone": "786-555-0111", "first_name": "Bo"}}
    await desk.request(ORDINARY | {"update_contacts": json.dumps(senders)})
    await desk.protect("phone", "786-555-0111")
    assert found(await desk.review()) == {"update_contacts/u-1/phone": "protected_person"} | {
        item: code
        for item, code in found(await desk.review()).items()
        if item.startswith("update_contacts/u-1/phone:")
    }


async def test_coordinates_of_a_protected_home_withhold_the_text(desk: ReviewDesk) -> None:
    await desk.request(ORDINARY | {"description": "It is at 25.77427, -80.19366."})
    desk.intake.registry.hashes.update(desk.intake.indexes.around(25.77427, -80.19366, 20))
    desk.intake.registry.version += 1
    assert found(await desk.review()) == {"description": "protected_person"}


async def test_numbers_are_found_in_every_text(desk: ReviewDesk) -> None:
    notes = {"parks-1": {"department": "parks", "update_id": "1", "note": f"Her SSN is {SSN}."}}
    updates = {"u-1": {"description": "Card 4111 1111 1111 1111", "media_url": []}}
    await desk.request(ORDINARY | {"work_notes": json.dumps(notes), "updates": json.dumps(updates)})
    reviewed = await desk.review()
    assert found(reviewed) == {
        "updates/u-1:5-24": "bank_or_card_number",
        "work_notes/parks-1:11-22": "social_security_number",
    }
    assert reviewed.texts["work_notes/parks-1"][11:22] == SSN
    assert all(each.preset for each in reviewed.proposals)


async def test_somebody_who_called_for_help_is_proposed_where_counsel_has_not_confirmed_it(
    desk: ReviewDesk,
) -> None:
    await desk.request(ORDINARY, emergency_assistance=True)
    reviewed = await desk.review()
    assert set(found(reviewed).values()) == {"emergency_call"}
    assert set(found(reviewed)) == {"first_name", "last_name", "phone", "email"}
    assert reviewed.flags == ["emergency"]

    elsewhere = ReviewDesk(load_exemptions(local=False))
    await elsewhere.granted()
    await elsewhere.request(ORDINARY, emergency_assistance=True)
    assert not (await elsewhere.review()).proposals


async def test_what_the_public_view_shows_is_said(desk: ReviewDesk) -> None:
    await desk.protect("address", "1020 NW 5th St")
    await desk.request(ORDINARY, text="The dog is at 1020 NW 5th St.")
    assert proposal(await desk.review(), "description:39-53").public_elsewhere
    await desk.changed(ORDINARY, text="The dog is there.")
    assert not proposal(await desk.review(), "description:39-53").public_elsewhere


async def test_what_somebody_withholds_by_hand_is_warned_of_too(desk: ReviewDesk) -> None:
    await desk.request(ORDINARY, text="The dog is at 1020 NW 5th St.")
    await desk.review()
    await desk.decide(("description:39-53", "victim"), ("phone", "victim"))
    (warned,) = (await desk.review()).warnings
    assert (str(warned.item), warned.public_elsewhere, warned.went_out) == (
        "description:39-53",
        True,
        False,
    )


async def test_half_a_name_is_recognized_by_the_records_index() -> None:
    desk = ReviewDesk()
    await desk.granted(fields=("first_name", "phone"))
    await desk.request(ORDINARY)
    await desk.protect("name", "Zora Hurston")
    assert found(await desk.review()) == {
        "first_name": "protected_person",
        "phone": "protected_person",
    }


async def test_a_corrected_value_and_an_unread_home_protect_what_is_there_now(
    desk: ReviewDesk,
) -> None:
    await desk.protect("phone", "786-555-0133")
    earlier = desk.intake.indexes.of({"phone": "786-555-0133"})["phone"]
    await desk.request(ORDINARY, indexes={"earlier": earlier})
    assert found(await desk.review()) == {"phone": "protected_person"}
    await desk.changed(ORDINARY, indexes={}, home_unread_at=desk.intake.clock.now())
    assert found(await desk.review()) == {"phone": "protected_person"}


async def test_without_geo_nothing_is_proposed_rather_than_too_little(desk: ReviewDesk) -> None:
    await desk.request(ORDINARY)
    desk.intake.addresses.away = True
    with pytest.raises(RefusedError) as refused:
        await desk.review()
    assert refused.value.code == "geo_unavailable"
    assert not desk.store.kept


async def test_more_addresses_than_can_be_read_are_refused_not_skipped(desk: ReviewDesk) -> None:
    text = " ".join(f"{number} Elm Street" for number in range(100, 200))
    await desk.request(ORDINARY | {"description": text})
    with pytest.raises(RefusedError) as refused:
        await desk.review()
    assert refused.value.code == "too_many"
    assert "Elm" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "caller", "rule"),
    [
        ({"record_ids": ("record-2",)}, CARLA, "grant_records"),
        ({"workers": ("kurt",)}, CARLA, "disclosure_case"),
        ({"case_id": "case-2", "grant_id": "g-2"}, CARLA, "disclosure_case"),
        ({}, Caller("carla", ("agent",)), "role"),
    ],
)
@pytest.mark.policy("P13")
async def test_without_a_grant_nothing_is_shown(
    changes: dict[str, Any], caller: Caller, rule: str
) -> None:
    desk = ReviewDesk()
    await desk.granted(**changes)
    await desk.request(ORDINARY)
    for call in (
        desk.reviewing(caller, CASE, RECORD),
        desk.deciding(caller, CASE, RECORD, 1, []),
        desk.rendering(caller, CASE, RECORD, "requester"),
    ):
        with pytest.raises(DeniedError) as refused:
            await call
        assert refused.value.code == f"refused:{rule}"
    assert {event.outcome for event in desk.told} == {"denied"}
    assert not desk.store.kept


@pytest.mark.policy("P13")
async def test_a_grant_that_comes_during_a_call_shows_no_empty_record(
    desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.request(ORDINARY)
    looks: list[str] = []
    kept = desk.office.store.of_case

    async def later(case_id: str) -> Sequence[KeptDisclosure]:
        looks.append(case_id)
        return await kept(case_id) if len(looks) > 1 else ()

    monkeypatch.setattr(desk.office.store, "of_case", later)
    for call in (desk.review, desk.decide, desk.render):
        looks.clear()
        with pytest.raises(DeniedError) as refused:
            await call()
        assert refused.value.code == "refused:disclosure_case"
    assert not desk.store.kept
    assert set((await desk.review()).texts) == set(ORDINARY)


async def test_an_unknown_record_is_not_found(desk: ReviewDesk) -> None:
    with pytest.raises(RefusedError) as refused:
        await desk.review()
    assert refused.value.code == "not_found"


async def test_only_the_fields_of_the_grant_are_shown() -> None:
    desk = ReviewDesk()
    await desk.granted(fields=("description", "person_index", "media_original"))
    await desk.request(ORDINARY)
    assert set((await desk.review(KURT)).texts) == {"description"}


async def test_without_the_log_nothing_is_opened(desk: ReviewDesk) -> None:
    await desk.request(ORDINARY)
    desk.intake.access_log.down = True
    with pytest.raises(RefusedError) as refused:
        await desk.review()
    assert refused.value.code == "audit_unavailable"
    assert not desk.store.kept
