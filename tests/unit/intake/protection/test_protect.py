"""The registry's use cases: what is kept of an entry, when it takes effect, who learns what."""

import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from httpx import Response

from direct311.intake.indexes.ports import ReadAddress
from direct311.intake.protection.adapters.geo import GeoAddresses
from direct311.intake.protection.api import protections_router
from direct311.intake.protection.handlers.protect import Protect
from direct311.runtime.http.api import caller_of
from tests.support.intake import IntakeUnderTest
from tests.support.links import bearer
from tests.support.protections import InMemoryProtections

pytestmark = pytest.mark.anyio

CARLA = bearer("custodian:carla")
OTTO = bearer("records_officer:otto")
ORDER = {"reference": "PR-1", "citation": "section 119.071(4)(d)2.a., F.S."}
PERSON = {
    "phone": "305-555-0142",
    "email": "zora@example.org",
    "name": "Zora Neale",
    "address": "9 Elm Street",
    "latitude": 25.7,
    "longitude": -80.3,
}
A_WEEK = timedelta(days=7)
LETTER = "PR-7"
"""The file of the written word that ends a protection."""
ALL_KINDS = ["phone", "email", "name", "address", "point"]


class ProtectingIntake(IntakeUnderTest):
    def __init__(self) -> None:
        super().__init__()
        self.store = InMemoryProtections()
        self.rechecked: list[tuple[int, tuple[str, ...]]] = []

        async def recheck(hashes: Sequence[str]) -> None:
            self.rechecked.append((self.store.version, tuple(hashes)))

        self.protect = Protect(
            self.store,
            self.indexes,
            self.addresses,
            recheck,
            self.vault,
            self.clock,
            self.ids,
            timedelta(0),
            A_WEEK,
        )
        self.http = self.serve(protections_router(self.protect, caller_of(self.authenticator)))

    def enter(self, **order: Any) -> Response:
        answer: Response = self.http.post("/v1/protections", headers=CARLA, json=ORDER | order)
        return answer

    def propose(
        self, protection_id: str, reference: str = LETTER, who: Mapping[str, str] = CARLA
    ) -> Response:
        path = f"/v1/protections/{protection_id}/ending"
        answer: Response = self.http.post(path, headers=who, json={"reference": reference})
        return answer

    def confirm(
        self, protection_id: str, reference: str = LETTER, who: Mapping[str, str] = OTTO
    ) -> Response:
        path = f"/v1/protections/{protection_id}/ending/confirmation"
        answer: Response = self.http.post(path, headers=who, json={"reference": reference})
        return answer

    def undo(self, protection_id: str, who: Mapping[str, str] = CARLA) -> Response:
        path = f"/v1/protections/{protection_id}/ending"
        answer: Response = self.http.delete(path, headers=who)
        return answer

    def read(self, protection_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(
            f"/v1/protections/{protection_id}", headers=CARLA
        ).json()
        return found

    async def end(self, protection_id: str) -> None:
        """All of it: two persons, a week, the job."""
        assert self.propose(protection_id).status_code == 200
        assert self.confirm(protection_id).status_code == 200
        self.clock.at += A_WEEK
        await self.protect.end_what_is_due()


@pytest.fixture
def intake() -> ProtectingIntake:
    return ProtectingIntake()


@pytest.mark.policy("P8", "P20")
def test_an_entry_takes_every_kind_of_identifier_and_keeps_hashes_alone(
    intake: ProtectingIntake,
) -> None:
    answer = intake.enter(**PERSON, received_on="2026-02-27")
    assert answer.status_code == 201
    assert answer.json()["kinds"] == ALL_KINDS
    (kept,) = intake.store.kept.values()
    assert (kept.received_on, kept.entered_by) == (date(2026, 2, 27), "carla")
    # Telephone with and without area code, e-mail, three readings of the name, address, the cells
    # of 10 m within 30 m of the point.
    assert len(set(kept.hashes)) == 2 + 1 + 3 + 1 + 42
    words = kept.model_dump_json() + intake.access_log.events()[0].model_dump_json()
    for secret in ("555-0142", "5550142", "zora", "Neale", "Elm", "25.7", "80.3"):
        assert secret.lower() not in words.lower()


def test_what_is_there_is_held_against_it_before_the_answer_comes(intake: ProtectingIntake) -> None:
    intake.enter(phone=PERSON["phone"])
    hashes = intake.indexes.person("phone", "3055550142")
    # Once at once, and once more after every copy has read the registry.
    assert intake.rechecked == [(1, hashes), (1, hashes)]


async def test_an_entry_that_was_ended_loses_its_hashes_and_begins_its_time(
    intake: ProtectingIntake,
) -> None:
    protection_id = intake.enter(**PERSON).json()["protection_id"]
    before = intake.read(protection_id)
    assert (before["in_force"], before["keep_until"], before["ending"]) == (True, None, None)
    assert before["series"] == "GS1-SL 392"
    hashes = intake.store.kept[protection_id].hashes
    await intake.end(protection_id)
    assert intake.rechecked[-1] == (2, hashes)
    after = intake.read(protection_id)
    assert (after["in_force"], after["withdrawn_by"]) == (False, "carla")
    assert after["keep_until"] == after["withdrawn_at"] is not None
    assert (after["ending"]["reference"], after["ending"]["confirmed_by"]) == (LETTER, "otto")
    assert intake.store.kept[protection_id].hashes == ()
    assert intake.propose(protection_id).json()["title"] == "ended"


async def test_an_entry_is_in_force_until_the_last_moment_of_the_week(
    intake: ProtectingIntake,
) -> None:
    protection_id = intake.enter(**PERSON).json()["protection_id"]
    hashes = intake.store.kept[protection_id].hashes
    intake.propose(protection_id)
    confirmed = intake.confirm(protection_id).json()
    assert confirmed["in_force"]
    intake.clock.at += A_WEEK - timedelta(milliseconds=1)
    await intake.protect.end_what_is_due()
    assert intake.store.kept[protection_id].hashes == hashes
    intake.clock.at += timedelta(milliseconds=1)
    await intake.protect.end_what_is_due()
    assert intake.store.kept[protection_id].hashes == ()


async def test_what_is_undone_never_ends(intake: ProtectingIntake) -> None:
    protection_id = intake.enter(**PERSON).json()["protection_id"]
    intake.propose(protection_id)
    intake.confirm(protection_id)
    intake.clock.at += A_WEEK - timedelta(seconds=1)
    undone = intake.undo(protection_id, OTTO).json()
    assert (undone["in_force"], undone["ending"]) == (True, None)
    intake.clock.at += A_WEEK
    await intake.protect.end_what_is_due()
    assert intake.read(protection_id)["in_force"]
    assert intake.undo(protection_id).json()["title"] == "not proposed"


@pytest.mark.policy("P14")
async def test_an_entry_is_destroyed_after_its_time_by_two_persons(
    intake: ProtectingIntake,
) -> None:
    protection_id = intake.enter(**PERSON, received_on="2026-02-27").json()["protection_id"]
    path = f"/v1/protections/{protection_id}"
    disposal = f"{path}/disposal"
    # While it is in force its time is never over.
    assert intake.http.post(disposal, headers=CARLA).json()["title"] == "in force"
    assert intake.http.post(f"{disposal}/approval", headers=OTTO).status_code == 409
    await intake.end(protection_id)
    assert intake.http.post(f"{disposal}/approval", headers=OTTO).json()["title"] == "not proposed"
    for _ in range(2):
        proposed = intake.http.post(disposal, headers=CARLA).json()
        assert proposed["disposal_proposed_by"] == "carla"
    assert intake.http.post(f"{disposal}/approval", headers=CARLA).json()["title"] == "role"
    same = bearer("records_officer:carla")
    assert intake.http.post(f"{disposal}/approval", headers=same).json()["title"] == "same person"
    assert intake.http.get(disposal, headers=CARLA).status_code == 404
    assert protection_id in intake.store.kept

    done = intake.http.post(f"{disposal}/approval", headers=OTTO)
    assert done.status_code == 200
    assert intake.http.post(f"{disposal}/approval", headers=OTTO).json() == done.json()
    assert intake.http.get(disposal, headers=CARLA).json() == done.json()
    said = done.json()
    assert (said["proposed_by"], said["approved_by"]) == ("carla", "otto")
    assert (said["series"], said["received_on"]) == ("GS1-SL 392", "2026-02-27")
    assert "PR-1" not in done.text
    assert intake.http.get(path, headers=CARLA).status_code == 404
    assert intake.http.get("/v1/protections", headers=CARLA).json()["protections"] == []
    steps = [
        event.where.operation for event in intake.access_log.events() if event.outcome == "success"
    ]
    path = "POST /v1/protections/{protection_id}"
    for step in ("/ending", "/ending/confirmation", "/disposal/approval"):
        assert f"{path}{step}" in steps
    assert "end a protection" in steps


async def test_the_list_names_files_and_kinds_and_nobody(intake: ProtectingIntake) -> None:
    entered = [intake.enter(**PERSON).json()["protection_id"] for _ in range(3)]
    await intake.end(entered[0])

    def listed(query: str) -> dict[str, Any]:
        answer = intake.http.get(f"/v1/protections{query}", headers=CARLA)
        found: dict[str, Any] = answer.json()
        assert "hashes" not in answer.text
        assert not any(hashed in answer.text for hashed in intake.store.kept[entered[1]].hashes)
        return found

    def ids(found: dict[str, Any]) -> list[str]:
        return [each["protection_id"] for each in found["protections"]]

    assert ids(listed("")) == entered
    assert ids(listed("?in_force=true")) == entered[1:]
    assert ids(listed("?in_force=false")) == entered[:1]
    first = listed("?limit=2")
    assert (ids(first), first["after"]) == (entered[:2], entered[1])
    assert ids(listed(f"?limit=2&after={first['after']}")) == entered[2:]
    assert {each["kinds"][0] for each in first["protections"]} == {"phone"}


def test_each_use_is_an_event_of_the_log(intake: ProtectingIntake) -> None:
    protection_id = intake.enter(phone=PERSON["phone"]).json()["protection_id"]
    intake.http.get("/v1/protections", headers=CARLA)
    intake.http.get(f"/v1/protections/{protection_id}", headers=CARLA)
    intake.propose(protection_id)
    assert [event.action for event in intake.access_log.events()] == [
        "policy_change",
        "view",
        "view",
        "policy_change",
    ]
    intake.access_log.down = True
    assert intake.http.get("/v1/protections", headers=CARLA).status_code == 503
    assert intake.enter(phone=PERSON["phone"]).status_code == 503
    assert intake.confirm(protection_id).status_code == 503
    assert intake.undo(protection_id).status_code == 503
    assert len(intake.store.kept) == 1
    assert intake.store.kept[protection_id].ending is not None


@pytest.mark.parametrize("role", ["agent:a", "admin:a", "auditor:a", "records_officer:a"])
def test_others_than_custodians_read_nothing(intake: ProtectingIntake, role: str) -> None:
    protection_id = intake.enter(phone=PERSON["phone"]).json()["protection_id"]
    for path in ("/v1/protections", f"/v1/protections/{protection_id}"):
        assert intake.http.get(path, headers=bearer(role)).status_code == 403


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({}, "phone"),
        ({"phone": "Zora"}, "phone"),
        ({"email": "zora at home"}, "email"),
        ({"name": "--"}, "name"),
        ({"phone": "305-555-0142", "received_on": "2026-03-03"}, "received_on"),
        ({"phone": "305-555-0142", "received_on": "Zora"}, "received_on"),
        # Half a point would protect nothing, and nobody would notice.
        ({"phone": "305-555-0142", "latitude": 25.7}, "longitude"),
    ],
)
def test_what_cannot_be_an_identifier_is_refused_by_field(
    intake: ProtectingIntake, order: dict[str, Any], field: str
) -> None:
    refused = intake.enter(**order)
    assert (refused.status_code, refused.json()["field"]) == (422, field)
    assert "zora" not in refused.text.lower()
    assert intake.store.kept == {}


@pytest.mark.policy("P8")
@pytest.mark.parametrize(("error_m", "off"), [(0.0, 29), (50.0, 49)])
def test_a_home_whose_point_geo_knows_is_known_by_a_pin_too(
    intake: ProtectingIntake, error_m: float, off: int
) -> None:
    intake.addresses.point, intake.addresses.error_m = (25.7, -80.3), error_m
    answer = intake.enter(address="9 Elm Street").json()
    assert (answer["kinds"], answer["warning"]) == (["address", "point"], None)
    kept = intake.store.kept[answer["protection_id"]]
    # A pin that is as far from geo's point as that may be off, and one that is farther.
    for north, east in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        for metres, known in ((off, True), (61, False)):
            pin = (25.7 + metres * north / 111_320, -80.3 + metres * east / 100_391)
            found = set(intake.indexes.place(None, *pin)) & set(kept.hashes)
            assert bool(found) is known
    assert intake.rechecked[-1] == (1, kept.hashes)


@pytest.mark.parametrize(("point", "error_m"), [(None, 0.0), ((25.7, -80.3), 86.0)])
def test_a_home_that_is_not_known_by_a_pin_is_said_to_be_so(
    intake: ProtectingIntake, point: tuple[float, float] | None, error_m: float
) -> None:
    intake.addresses.point, intake.addresses.error_m = point, error_m
    answer = intake.enter(address="9 Elm Street").json()
    assert answer["kinds"] == ["address"]
    assert "latitude and longitude" in answer["warning"]
    assert len(intake.store.kept[answer["protection_id"]].hashes) == 1
    given = intake.enter(address="9 Elm Street", latitude=25.8, longitude=-80.2).json()
    assert (given["kinds"], given["warning"]) == (["address", "point"], None)
    assert intake.enter(phone=PERSON["phone"]).json()["warning"] is None


def test_the_point_that_a_custodian_gives_and_geos_own_both_count(intake: ProtectingIntake) -> None:
    intake.addresses.point = (25.7, -80.3)
    answer = intake.enter(address="9 Elm Street", latitude=25.8, longitude=-80.2).json()
    hashes = intake.store.kept[answer["protection_id"]].hashes
    assert set(hashes) == {
        *intake.indexes.place("9 ELM ST", None, None),
        *intake.indexes.around(25.8, -80.2, 30.0),
        *intake.indexes.around(25.7, -80.3, 30.0),
    }


def test_an_entry_of_older_rules_is_listed_until_it_was_entered_again(
    intake: ProtectingIntake,
) -> None:
    old, done, point = (
        intake.enter(reference=reference, **said).json()["protection_id"]
        for reference, said in (
            ("PR-1", {"address": "9 Elm Street"}),
            ("PR-2", {"phone": PERSON["phone"]}),
            ("PR-3", {"latitude": 25.8, "longitude": -80.2}),
        )
    )
    for each in (old, done, point):
        kept = intake.store.kept[each]
        intake.store.kept[each] = kept.model_copy(update={"readings": 1})
    intake.enter(reference="PR-2", phone=PERSON["phone"])
    # Another kind of the same file does not do it.
    intake.enter(reference="PR-1", phone=PERSON["phone"])

    def listed() -> dict[str, bool]:
        answer = intake.http.get("/v1/protections?enter_again=true", headers=CARLA).json()
        return {each["protection_id"]: each["enter_again"] for each in answer["protections"]}

    assert listed() == {old: True}
    intake.enter(reference="PR-1", address="9 Elm Street")
    assert listed() == {}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("said", "read"),
    [
        ({"kind": "none"}, None),
        ({"address": "9 ELM ST"}, ReadAddress("9 ELM ST")),
        (
            {"address": "9 ELM ST", "latitude": 25.7, "longitude": -80.3, "error_m": 213.0},
            ReadAddress("9 ELM ST", (25.7, -80.3), 213.0),
        ),
        # How far it may be off is not said, so it may be anywhere.
        (
            {"address": "9 ELM ST", "latitude": 25.7, "longitude": -80.3},
            ReadAddress("9 ELM ST", (25.7, -80.3), math.inf),
        ),
    ],
)
async def test_geo_says_where_an_address_lies(
    said: dict[str, object], read: ReadAddress | None
) -> None:
    async def post(path: str, body: object) -> object:
        assert (path, body) == ("/internal/normalise", {"address": "9 Elm Street"})
        return said

    geo = GeoAddresses(SimpleNamespace(post=post))  # type: ignore[arg-type]
    assert await geo.normalise("9 Elm Street") == read


def test_no_address_is_taken_on_trust_while_geo_is_away(intake: ProtectingIntake) -> None:
    intake.addresses.away = True
    refused = intake.enter(address="9 Elm Street")
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
