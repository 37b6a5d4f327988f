"""Which staff see which requests in `/v1/work`, and what of them."""

import pytest

from direct311.intake.request import Located, Note, StaffEdit
from direct311.intake.work.api.cursors import cursor_of, read_cursor
from direct311.intake.work.domain.listing import Position
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.schemas import events as ev
from tests.support.intake import PERSON
from tests.support.runtime import NOW
from tests.support.work import AGENT, INSPECTOR, PARKS, WorkingIntake

pytestmark = pytest.mark.anyio


@pytest.fixture
async def intake() -> WorkingIntake:
    made = WorkingIntake()
    await made.request("r-1", department="parks", status="routed")
    await made.request("r-2", department="animal_services", status="routed")
    await made.request("r-3", department="parks", status="withdrawn")
    await made.request("r-4", status="received", place_checked=False)
    return made


async def test_a_department_sees_its_own_requests_and_knows_of_no_other(
    intake: WorkingIntake,
) -> None:
    assert intake.listed(AGENT) == ["r-4", "r-2", "r-1"]
    assert intake.listed(Caller("cyd", ("custodian",))) == ["r-4", "r-2", "r-1"]
    for caller in (PARKS, INSPECTOR):
        assert intake.listed(caller) == ["r-1"]
        assert intake.listed(caller, "?status=withdrawn") == []
        assert intake.get("?department=animal_services", caller).status_code == 403
        assert intake.get("/r-1", caller).status_code == 200
        for other in ("r-2", "r-3", "r-4", "r-9"):
            answer = intake.get(f"/{other}", caller)
            assert answer.status_code == 404
            assert answer.json()["type"].endswith(":not_found")
    for caller in (Caller("a", ("auditor",)), Caller("b", ("admin",))):
        assert intake.get("", caller).status_code == 403
        assert intake.get("/r-1", caller).status_code == 403
    assert intake.get("", Caller("c", ("inspector",))).status_code == 403
    assert intake.get("/r-1", Caller("c", ("inspector",))).status_code == 404


async def test_a_request_is_shown_without_anything_personal(intake: WorkingIntake) -> None:
    await intake.request(
        "r-5",
        department="parks",
        text="Call [telephone].",
        place=ev.Place(address="111 NW 1 ST"),
        located=Located(
            outcome="resolved",
            latitude=25.7,
            longitude=-80.2,
            municipality="Miami",
            method="grid",
            confidence=0.7,
        ),
        media=(ev.MediaItem(media_id="m-1", state="stored", url="https://files.test/m"),),
        notes=(
            Note(at=NOW, kind="status", status="in_progress", text="At 111 NW 1 ST."),
            Note(at=NOW, kind="comment", text="It is worse.", mark="mark", by="by"),
        ),
    )
    answer = intake.get("/r-5", PARKS)
    shown = answer.json()
    assert shown["location"] == {
        "outcome": "resolved",
        "method": "grid",
        "confidence": 0.7,
        "approximate": False,
        "commission_district": None,
    }
    assert (shown["municipality"], shown["place"]["latitude"]) == ("Miami", 25.7)
    assert shown["media"] == [
        {"media_id": "m-1", "state": "stored", "reason": None, "content_type": None}
    ]
    assert [each["text"] for each in shown["history"]] == ["At 111 NW 1 ST.", "It is worse."]
    for value in PERSON.values():
        assert value not in answer.text
    assert not {"sealed", "indexes", "mark", "by", "uploads", "client_id"} & shown.keys()
    assert not intake.access_log.events()


async def test_of_a_protected_request_only_the_municipality_is_shown(
    intake: WorkingIntake,
) -> None:
    await intake.request(
        "r-6",
        protected=True,
        department="parks",
        place=ev.Place(latitude=25.7, longitude=-80.2, address="111 NW 1 ST"),
        located=Located(
            outcome="resolved",
            latitude=25.7,
            longitude=-80.2,
            address="111 NW 1 ST",
            municipality="Miami",
            commission_district="5",
            method="point",
            confidence=1.0,
        ),
        notes=(Note(at=NOW, kind="status", status="fixed", text="At 111 NW 1 ST."),),
    )
    answer = intake.get("/r-6", PARKS)
    assert "NW 1 ST" not in answer.text
    assert "25.7" not in answer.text
    shown = answer.json()
    assert shown["location"]["commission_district"] is None
    assert shown["place"] == {
        "latitude": None,
        "longitude": None,
        "address": None,
        "address_id": None,
        "municipality": "Miami",
        "zip_code": None,
    }


async def test_a_place_that_was_not_checked_is_shown_to_nobody(intake: WorkingIntake) -> None:
    given = ev.Place(latitude=25.7, longitude=-80.2, address="111 NW 1 ST")
    await intake.request("r-6", place_checked=False, place=given)
    answer = intake.get("/r-6")
    assert "NW 1 ST" not in answer.text
    assert set(answer.json()["place"].values()) == {None}


async def test_a_protected_request_names_no_other_and_no_reason_that_may_say_where(
    intake: WorkingIntake,
) -> None:
    edit = StaffEdit(
        number=1, at=NOW, by="olga", reason="It is 111 NW 1 ST.", changed=("place",), place=None
    )
    await intake.request(
        "r-6", protected=True, edits=(edit,), duplicate_of="r-1", likely_repeat_of="r-2"
    )
    shown = intake.get("/r-6").json()
    assert (shown["duplicate_of"], shown["likely_repeat_of"]) == (None, None)
    assert [(each["by"], each["reason"]) for each in shown["edits"]] == [("olga", "")]
    await intake.request("r-7", edits=(edit,), duplicate_of="r-1", likely_repeat_of="r-2")
    shown = intake.get("/r-7").json()
    assert (shown["duplicate_of"], shown["likely_repeat_of"]) == ("r-1", "r-2")
    assert shown["edits"][0]["reason"] == "It is 111 NW 1 ST."


async def test_pages_follow_each_other_by_cursor(intake: WorkingIntake) -> None:
    first = intake.get("?limit=2").json()
    assert [each["record_id"] for each in first["requests"]] == ["r-4", "r-2"]
    second = intake.get(f"?limit=2&cursor={first['next']}").json()
    assert [each["record_id"] for each in second["requests"]] == ["r-1"]
    assert second["next"] is None
    assert intake.get("?cursor=nonsense").status_code == 422
    assert intake.listed(AGENT, "?sort=oldest") == [
        "r-1",
        "r-2",
        "r-4",
    ]


@pytest.mark.parametrize("cursor", ["", "é", "AAAA", "MXxyLTF8", "9" * 40])
async def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(RefusedError):
        read_cursor(cursor)


async def test_a_cursor_is_the_place_that_it_was_made_from() -> None:
    for record_id in ("r-1", "", "~"):
        position = Position(NOW, record_id)
        assert read_cursor(cursor_of(position)) == position
