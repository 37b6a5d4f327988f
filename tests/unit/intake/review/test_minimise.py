"""What law enforcement gets of a record: what its instrument opens, and nothing of anybody else."""

import json

import pytest

from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from tests.support.disclosures import CASE
from tests.support.reviews import ReviewDesk, ended

pytestmark = [pytest.mark.anyio, pytest.mark.policy("P18")]

LARS = Caller("lars", ("liaison",))
OWN, OTHER = "305-555-0142", "786-555-0199"
PLAIN = {
    "first_name": "Zora",
    "email": "zora@example.org",
    "phone": OWN,
    "reporter_address": "12 Elm Street",
    "description": f"Call me at {OWN}. My neighbor has {OTHER}.",
    "update_contacts": json.dumps({"u-1": {"phone": OTHER}, "u-2": {"phone": OWN}}),
}
FIELDS = ("phone", "reporter_address", "description", "update_contacts")
SPAN = f"description:{PLAIN['description'].index(OTHER)}-{PLAIN['description'].index(OTHER) + 12}"
LEFT_OUT = [("email", "outside_instrument"), ("first_name", "outside_instrument")]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def asked(desk: ReviewDesk) -> ReviewDesk:
    await desk.granted(
        kind="law_enforcement", fields=FIELDS, workers=("lars", "kurt"), prepared_by="lars"
    )
    await desk.request(PLAIN)
    return desk


@pytest.fixture
async def desk() -> ReviewDesk:
    return await asked(ReviewDesk())


async def test_other_people_are_proposed_and_the_reporter_is_not(desk: ReviewDesk) -> None:
    found = await desk.review(LARS)
    assert [(str(each.item), each.exemption.code) for each in found.proposals] == [
        (SPAN, "other_person"),
        ("update_contacts/u-1/phone", "other_person"),
    ]
    with pytest.raises(RefusedError) as refused:
        await desk.render(LARS)
    assert refused.value.code == "not_reviewed"


async def test_what_the_instrument_opens_goes_out_though_the_public_would_not_get_it(
    desk: ReviewDesk,
) -> None:
    await desk.protect("address", PLAIN["reporter_address"])
    await desk.review(LARS)
    await desk.decide(
        (SPAN, "other_person"), ("update_contacts/u-1/phone", "other_person"), caller=LARS
    )
    found = await desk.render(LARS)
    assert found.fields["reporter_address"] == PLAIN["reporter_address"]
    assert found.fields["phone"] == OWN
    assert found.fields["description"] == f"Call me at {OWN}. My neighbor has [■ P18]."
    assert OTHER not in json.dumps(dict(found.fields))


async def test_each_thing_that_is_left_out_has_its_row(desk: ReviewDesk) -> None:
    await desk.review(LARS)
    await desk.decide(
        (SPAN, "other_person"), ("update_contacts/u-1/phone", "other_person"), caller=LARS
    )
    found = await desk.render(LARS)
    assert [(str(row.item), row.code) for row, _ in found.withheld] == [
        (SPAN, "other_person"),
        *LEFT_OUT,
        ("update_contacts/u-1/phone", "other_person"),
    ]
    # Who prepared the grant decided which fields it opens.
    closed = [row for row, _ in found.withheld if row.code == "outside_instrument"]
    assert {(row.decided_by, row.version) for row in closed} == {("lars", found.version)}
    assert (found.fields["email"], found.fields["first_name"]) == ("[■ P18]", "[■ P18]")
    event = desk.told[-1]
    assert (event.action, event.what.redactions) == ("disclose", ("P18",) * 4)
    assert (event.what.fields, event.why.case_id) == (tuple(sorted(FIELDS)), CASE)


async def test_the_liaison_may_say_that_the_instrument_covers_somebody_else(
    desk: ReviewDesk,
) -> None:
    await desk.review(LARS)
    await desk.decide((SPAN, None), ("update_contacts/u-1/phone", "other_person"), caller=LARS)
    assert OTHER in (await desk.render(LARS)).fields["description"]


async def test_nothing_is_withheld_from_the_public_because_it_is_about_somebody_else() -> None:
    desk = ReviewDesk()
    await desk.granted()
    await desk.request(PLAIN)
    assert not (await desk.review()).proposals
    for code in ("other_person", "outside_instrument"):
        with pytest.raises(RefusedError) as refused:
            await desk.decide(("description", code))
        assert refused.value.code == "exemption"
    await desk.decide()
    assert set((await desk.render()).fields) == {*PLAIN}


async def test_without_a_code_in_force_nothing_goes_out() -> None:
    desk = await asked(ReviewDesk(ended("outside_instrument")))
    await desk.review(LARS)
    await desk.decide(
        (SPAN, "other_person"), ("update_contacts/u-1/phone", "other_person"), caller=LARS
    )
    with pytest.raises(RefusedError) as refused:
        await desk.render(LARS)
    assert refused.value.code == "exemption"
    desk = await asked(ReviewDesk(ended("other_person")))
    with pytest.raises(RefusedError) as refused:
        await desk.review(LARS)
    assert refused.value.code == "exemption"
