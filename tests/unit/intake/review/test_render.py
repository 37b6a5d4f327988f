"""A record as it goes out: by the decisions alone, or not at all."""

import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from direct311.intake.review.handlers.render import FileOfRecord, files_of
from direct311.runtime.access.exemptions import citations_in
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.schemas import events as ev
from tests.support.disclosures import CASE
from tests.support.reviews import KURT, RECORD, ReviewDesk, ended

pytestmark = pytest.mark.anyio

SSN = "078-05-1120"
NOTES = {"parks-1": {"department": "parks", "update_id": "1", "note": f"SSN {SSN}, ok"}}
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
    await desk.request(PLAIN, text="The dog barks.")
    await desk.review()
    return desk


async def refusal(desk: ReviewDesk) -> str:
    opened = len(desk.told)
    with pytest.raises(RefusedError) as refused:
        await desk.render()
    # Nothing was disclosed.
    assert not [event for event in desk.told[opened:] if event.action == "disclose"]
    return refused.value.code


@pytest.mark.policy("P13")
async def test_what_is_withheld_is_a_mark_and_the_rest_goes_out(desk: ReviewDesk) -> None:
    await desk.decide((NUMBER, "social_security_number"), ("reporter_address", HOME))
    found = await desk.render()
    assert found.fields["first_name"] == "Zora"
    assert found.fields["phone"] == "305-555-0142"
    assert found.fields["reporter_address"] == "[■ 119.071(4)(d)]"
    assert json.loads(found.fields["work_notes"])["parks-1"] == {
        "department": "parks",
        "update_id": "1",
        "note": "SSN [■ 119.071(5)(a)], ok",
    }
    assert found.public["description"] == "The dog barks."
    assert [(str(row.item), row.code, row.decided_by) for row, _ in found.withheld] == [
        ("reporter_address", HOME, "carla"),
        (NUMBER, "social_security_number", "carla"),
    ]
    assert (found.record_id, found.version) == (RECORD, 1)


async def test_the_access_says_how_much_is_withheld_and_from_whom(desk: ReviewDesk) -> None:
    await desk.decide((NUMBER, "social_security_number"), ("reporter_address", HOME))
    await desk.render()
    event = desk.told[-1]
    assert (event.action, event.outcome, event.recipient) == ("disclose", "success", "requester")
    assert event.what.redactions == ("119.071(4)(d)", "119.071(5)(a)")
    assert event.why.case_id == CASE


async def test_the_same_decisions_give_the_same_answer(desk: ReviewDesk) -> None:
    await desk.decide((NUMBER, "social_security_number"))
    first = await desk.render()
    version = (await desk.store.of(RECORD)).version
    desk.intake.clock.at += timedelta(hours=1)
    await desk.decide((NUMBER, "social_security_number"), caller=KURT)
    assert await desk.render() == first
    # A hold is no change of the record, and a repeat writes nothing.
    await desk.intake.put(desk.intake.state(RECORD).held("hold-1").written(9))
    assert await desk.render(KURT) == first
    assert (await desk.store.of(RECORD)).version == version
    await desk.decide(("phone", HOME))
    assert (await desk.render()).decisions != first.decisions


async def test_an_undecided_record_is_not_rendered(desk: ReviewDesk) -> None:
    assert await refusal(desk) == "not_reviewed"
    await desk.decide(("phone", HOME))
    assert await refusal(desk) == "not_reviewed"
    await desk.decide((NUMBER, "social_security_number"))
    assert (await desk.render()).fields["phone"] == "[■ 119.071(4)(d)]"


async def test_a_record_that_changed_is_not_rendered(desk: ReviewDesk) -> None:
    await desk.decide((NUMBER, "social_security_number"))
    await desk.changed(PLAIN | {"description": "Another text."})
    assert await refusal(desk) == "changed"


async def test_a_public_view_that_changed_counts_too(desk: ReviewDesk) -> None:
    await desk.decide((NUMBER, "social_security_number"))
    await desk.changed(PLAIN, status="closed")
    assert await refusal(desk) == "changed"


@pytest.mark.policy("P13")
async def test_a_person_protected_after_the_review_is_decided_first(desk: ReviewDesk) -> None:
    await desk.decide((NUMBER, "social_security_number"))
    await desk.protect("phone", "786-555-0199")
    assert (await desk.render()).fields["phone"] == "305-555-0142"
    await desk.protect("phone", PLAIN["phone"])
    assert await refusal(desk) == "not_reviewed"
    assert (await desk.store.of(RECORD)).cases[CASE].undecided() == ("phone", "reporter_address")
    await desk.decide(("phone", HOME), ("reporter_address", HOME))
    assert (await desk.render()).fields["phone"] == "[■ 119.071(4)(d)]"


async def test_an_exemption_that_ended_withholds_nothing_and_releases_nothing(
    desk: ReviewDesk,
) -> None:
    await desk.decide((NUMBER, "social_security_number"), ("phone", "victim"))
    desk.propose.exemptions = ended("victim")
    assert await refusal(desk) == "not_reviewed"


async def test_a_wider_grant_needs_another_look() -> None:
    desk = ReviewDesk()
    await desk.granted(fields=("phone",))
    await desk.request(PLAIN)
    await desk.review()
    await desk.decide()
    assert set((await desk.render()).fields) == {"phone"}
    await desk.granted(grant_id="wider")
    assert await refusal(desk) == "not_reviewed"
    assert (await desk.review()).review.undecided() == (NUMBER,)


async def test_a_look_at_fewer_fields_forgets_nothing_of_the_others(desk: ReviewDesk) -> None:
    await desk.granted(grant_id="narrow", fields=("phone",), workers=("nina",))
    nina = Caller("nina", ("custodian",))
    await desk.review(nina)
    assert (await desk.store.of(RECORD)).cases[CASE].undecided() == (NUMBER,)
    await desk.decide(("phone", HOME), caller=nina)
    assert set((await desk.render(nina)).fields) == {"phone"}
    assert await refusal(desk) == "not_reviewed"
    await desk.protect("phone", "786-555-0199")
    await desk.render(nina)
    assert await refusal(desk) == "not_reviewed"


async def test_what_went_out_before_is_said(desk: ReviewDesk) -> None:
    await desk.decide((NUMBER, "social_security_number"))
    assert not any(each.went_out for each in (await desk.review()).proposals)
    await desk.render()
    await desk.protect("phone", PLAIN["phone"])
    await desk.granted(case_id="case-2", grant_id="g-2")
    went_out = {
        str(each.item): each.went_out for each in (await desk.review(case_id="case-2")).proposals
    }
    assert went_out == {"phone": True, "reporter_address": True, NUMBER: False}


async def test_without_the_log_nothing_goes_out(desk: ReviewDesk) -> None:
    await desk.decide((NUMBER, "social_security_number"))
    desk.intake.access_log.down = True
    assert await refusal(desk) == "audit_unavailable"
    assert not (await desk.store.of(RECORD)).cases[CASE].renderings


SECRETS = st.text(alphabet="qxzjkvw", min_size=4, max_size=8)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(SECRETS, st.booleans()), min_size=1, max_size=5, unique_by=lambda s: s[0])
)
async def test_a_rendering_never_has_a_withheld_text_and_each_mark_has_its_row(
    parts: list[tuple[str, bool]],
) -> None:
    text, spans = "", []
    for secret, is_withheld in parts:
        text += "the "
        if is_withheld:
            spans.append((len(text), len(text) + len(secret), secret))
        text += f"{secret} "
    updates = {"u-1": {"description": text, "media_url": []}}
    desk = ReviewDesk()
    await desk.granted()
    await desk.request({"description": text, "updates": json.dumps(updates)})
    await desk.review()
    await desk.decide(
        *(
            (f"{place}:{start}-{end}", code)
            for place, code in (("description", HOME), ("updates/u-1", "victim"))
            for start, end, _ in spans
        )
    )
    found = await desk.render()
    citations = {"description": "119.071(4)(d)", "updates": "119.071(2)(j)"}
    for field, value in found.fields.items():
        for _, _, secret in spans:
            if not any(secret in other for other, is_withheld in parts if not is_withheld):
                assert secret not in value
        rows = [exemption.citation for row, exemption in found.withheld if row.item.field == field]
        assert list(citations_in(value)) == rows == [citations[field]] * len(spans)


async def test_each_file_of_the_record_is_named_with_what_media_says_of_it(
    desk: ReviewDesk,
) -> None:
    await desk.decide((NUMBER, "social_security_number"), ("reporter_address", HOME))
    assert (await desk.render()).files == []
    request = desk.intake.state(RECORD)
    uploads = tuple(
        ev.UploadRef(upload_id=each, size=1, sha256="0" * 64, content_type="image/jpeg")
        for each in ("u-1", "u-2", "u-3", "u-4")
    )
    media = (
        ev.MediaItem(media_id="u-2", state="rejected", reason="damaged"),
        ev.MediaItem(media_id="u-1", state="stored"),
        ev.MediaItem(media_id="u-4", state="withdrawn", reason="protected"),
    )
    now = desk.intake.clock.now()
    with_files = request.supplied(uploads, at=now).illustrated(media, at=now)
    assert files_of(with_files) == [
        FileOfRecord("u-1", "kept"),
        FileOfRecord("u-2", "rejected", "damaged"),
        FileOfRecord("u-3", "arriving"),
        FileOfRecord("u-4", "kept"),
    ]
