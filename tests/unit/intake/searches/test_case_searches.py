"""Searches for a case: what its grant allows is found, each counts, and all is written down."""

import json
from datetime import timedelta
from typing import Any, cast

import pytest
from starlette.testclient import TestClient

from direct311.intake.lifecycle.ports import Requests
from direct311.intake.request import Located
from direct311.intake.searches import handlers
from direct311.intake.searches.api import searches_router
from direct311.intake.searches.handlers import SearchForCase, words_of
from direct311.intake.staff.handlers.contact import Contact
from direct311.runtime.http.api import caller_of
from direct311.schemas import events as ev
from tests.support.disclosures import CASE, DAY, Office, grant
from tests.support.intake import IntakeUnderTest
from tests.support.intake_stores import InMemoryCandidates, InMemoryRequests
from tests.support.links import bearer

pytestmark = pytest.mark.anyio

PHONE = "305-555-0142"
WORDS = "Canarywort José"
PERSON_ALONE = (ev.GrantedSearch(kind="person", number=9),)
TEXTS = ("description", "comments", "updates", "work_notes")


class SearchedIntake(IntakeUnderTest):
    """Intake with the searches, and a retention that grants."""

    def __init__(self, most: int = 20_000) -> None:
        super().__init__()
        self.office = Office(self.clock)
        requests = InMemoryRequests(self.records)
        owner = self.office.owner
        self.search = SearchForCase(
            contact=Contact(cast(Requests, requests), self.vault, self.indexes, owner),
            candidates=InMemoryCandidates(self.records),
            vault=self.vault,
            indexes=self.indexes,
            disclosures=owner,
            clock=self.clock,
            most_candidates=most,
        )
        self.client: TestClient = self.serve(
            searches_router(self.search, caller_of(self.authenticator))
        )

    async def granted(self, **changes: Any) -> None:
        now = self.clock.now()
        searches = tuple(ev.GrantedSearch(kind=each, number=2) for each in ("person", "words"))
        given = {
            "prepared_at": now,
            "valid_until": now + DAY,
            "record_ids": (),
            "file_ids": (),
            "fields": ("person_index", *TEXTS),
            "searches": searches,
        }
        assert await self.office.say(self.office.approved(grant(**given | changes))) == []

    async def texts(self, **plain: dict[str, str]) -> None:
        for record_id, fields in plain.items():
            await self.request(record_id, fields)

    def ask(self, who: str = "custodian:lia", case: str = CASE, **body: Any) -> Any:
        return self.client.post(f"/v1/cases/{case}/searches", json=body, headers=bearer(who))

    def found(self, **body: Any) -> list[str]:
        answer = self.ask(**body)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["record_ids"])

    @property
    def told(self) -> list[ev.PiiAccessed]:
        return self.access_log.events()


def rule(answer: Any) -> str:
    assert answer.status_code == 403, answer.text
    return str(answer.json()["type"]).rpartition(":")[2]


async def test_a_person_is_found_and_the_search_narrowed_by_what_is_public() -> None:
    intake = SearchedIntake()
    await intake.granted()
    for number, code in ((1, "ROAD"), (2, "TREE"), (3, "ROAD")):
        await intake.request(f"r-{number}", {"phone": PHONE}, service_code=code)
    await intake.request("r-4", {"phone": "305-555-0199"}, service_code="ROAD")
    answer = intake.ask(phone="(305) 555 0142", types=["ROAD"])
    assert answer.json()["record_ids"] == ["r-1", "r-3"]
    assert (answer.json()["hits"], answer.json()["shape"]) == (2, ["person", "type"])
    (event,) = intake.told
    assert answer.json()["search_id"] == intake.access_log.entries[0].id
    assert (event.action, event.outcome, event.why.case_id) == ("search", "success", CASE)
    assert event.what.record_ids == ("r-1", "r-3")
    assert event.what.query_fields == ("phone", "type")
    assert event.what.query_hmac


async def test_words_are_found_whole_in_all_texts_whatever_their_case_and_accents() -> None:
    intake = SearchedIntake()
    await intake.granted()
    note = {"parks-u1": {"department": "parks", "update_id": "u1", "note": "Told JOSE\u2019s wife"}}
    await intake.texts(
        r1={"description": "The CANARYWORT of jose\u0301 barks."},
        r2={"description": "canaryworts José"},
        r3={"description": "canarywort"},
        r4={"description": "Canary\u200bwort", "work_notes": json.dumps(note)},
        r5={
            "description": "-",
            "comments": json.dumps([{"at": "2026-12-01T00:00:00Z", "text": "canarywort, José"}]),
        },
        r6={"phone": PHONE},
    )
    assert intake.found(words=WORDS) == ["r1", "r4", "r5"]
    # Nobody said the code of a department.
    assert intake.found(words="parks") == []


async def test_a_words_search_names_what_it_opens_a_hundred_at_a_time() -> None:
    intake = SearchedIntake()
    await intake.granted(fields=("description",))
    for number in range(205):
        await intake.request(f"r-{number:03}", {"description": f"word w{number}"})
    answer = intake.ask(words="Word W204").json()
    assert (answer["record_ids"], answer["hits"], answer["more"]) == (["r-204"], 1, False)
    begun, *opened = intake.told
    assert answer["search_id"] == intake.access_log.entries[0].id
    assert (begun.what.record_ids, begun.what.fields) == ((), ("description",))
    assert [len(each.what.record_ids) for each in opened] == [100, 100, 5]
    assert {each.why.case_id for each in intake.told} == {CASE}
    assert {each.action for each in intake.told} == {"search"}
    hashed = {each.what.query_hmac for each in intake.told}
    assert len(hashed) == 1
    assert None not in hashed


async def test_at_most_five_hundred_records_are_named() -> None:
    intake = SearchedIntake()
    await intake.granted()
    for number in range(501):
        await intake.request(f"r-{number:03}", {"description": "dog"})
    answer = intake.ask(words="dog").json()
    assert (len(answer["record_ids"]), answer["hits"], answer["more"]) == (500, 501, True)


async def test_each_search_counts_by_its_kind() -> None:
    intake = SearchedIntake()
    await intake.granted()
    await intake.request("r-1", {"phone": PHONE, "description": "dog"})
    for _ in range(2):
        assert intake.found(words="dog") == ["r-1"]
    assert rule(intake.ask(words="dog")) == "grant_searches"
    for _ in range(2):
        assert intake.found(phone=PHONE) == ["r-1"]
    assert rule(intake.ask(phone=PHONE)) == "grant_searches"


@pytest.mark.parametrize(
    ("changes", "who", "code"),
    [
        (None, "custodian:lia", "disclosure_case"),
        ({}, "custodian:vera", "disclosure_case"),
        ({"kind": "law_enforcement"}, "custodian:lia", "grant_kind"),
        ({"fields": ("phone",)}, "custodian:lia", "grant_fields"),
        ({"searches": PERSON_ALONE}, "custodian:lia", "grant_searches"),
        ({}, "agent:lia", "role"),
    ],
)
async def test_nothing_opens_without_a_grant_for_it(
    changes: dict[str, Any] | None, who: str, code: str
) -> None:
    # More candidates than it may search: somebody who may not search does not learn that either.
    intake = SearchedIntake(most=1)
    if changes is not None:
        await intake.granted(**changes)
    await intake.texts(r1={"description": "dog"}, r2={"description": "dog"})
    narrowed = {"received_before": (intake.clock.now() - DAY).isoformat()}
    # What it lacks is said before the number of candidates, unless the caller may search.
    may = code in ("grant_fields", "role")
    assert rule(intake.ask(who, words="dog", **(narrowed if may else {}))) == code
    assert [each.outcome for each in intake.told] == ["denied"]
    assert intake.keys.fetches == []


async def test_a_grant_that_ends_in_between_ends_the_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    intake = SearchedIntake()
    await intake.granted()
    for number in range(150):
        await intake.request(f"r-{number:03}", {"description": "dog"})
    read = InMemoryCandidates.sealed

    async def revoked_meanwhile(self: InMemoryCandidates, ids: Any, fields: Any) -> Any:
        if "r-100" in ids:
            await intake.office.say(intake.office.revoked())
        return await read(self, ids, fields)

    monkeypatch.setattr(InMemoryCandidates, "sealed", revoked_meanwhile)
    assert rule(intake.ask(words="dog")) == "grant_revoked"
    assert len(intake.keys.fetches) == 100


async def test_too_many_candidates_are_refused_uncounted() -> None:
    intake = SearchedIntake(most=2)
    await intake.granted()
    for number in range(3):
        await intake.request(f"r-{number}", {"description": "dog"}, service_code=f"T{number}")
    for _ in range(3):
        answer = intake.ask(words="dog")
        assert answer.status_code == 422
        assert answer.json()["field"] == "words"
        assert "2" in answer.json()["detail"]
    assert intake.told == []
    assert intake.found(words="dog", types=["T0", "T1"]) == ["r-0", "r-1"]
    assert intake.ask().status_code == 422


async def test_without_the_log_nothing_is_opened() -> None:
    intake = SearchedIntake()
    await intake.granted()
    await intake.request("r-1", {"phone": PHONE, "description": "dog"})
    intake.access_log.down = True
    for body in ({"words": "dog"}, {"phone": PHONE}, {"types": ["ROAD"]}):
        answer = intake.ask(**body)
        assert (answer.status_code, "r-1" in answer.text) == (503, False)
    assert intake.keys.fetches == []


async def test_public_properties_need_no_grant_and_open_nothing() -> None:
    intake = SearchedIntake()
    at = Located(outcome="resolved", latitude=25.8, longitude=-80.3, municipality="Hialeah")
    await intake.request("r-1", {"description": "dog"}, located=at)
    await intake.request("r-2", {"description": "dog"}, located=at, protected=True)
    answer = intake.ask(box=[-80.4, 25.7, -80.2, 25.9]).json()
    assert (answer["record_ids"], answer["without_point"]) == (["r-1"], 1)
    assert intake.found(municipality="Hialeah") == ["r-1", "r-2"]
    box, town = intake.told
    assert (box.why.purpose, box.why.reference, box.what.fields) == ("county_business", CASE, ())
    assert (box.what.query_fields, box.what.query_hmac) == (("place",), None)
    assert (town.what.record_ids, town.what.result_count) == (("r-1", "r-2"), 2)
    assert intake.keys.fetches == []
    assert rule(intake.ask("agent:ann", types=["ROAD"])) == "role"


async def test_a_protected_request_of_a_person_is_not_compared_with_a_box() -> None:
    intake = SearchedIntake()
    await intake.granted()
    at = Located(outcome="resolved", latitude=25.8, longitude=-80.3)
    await intake.request("r-1", {"phone": PHONE}, located=at)
    await intake.request("r-2", {"phone": PHONE}, located=at, protected=True)
    answer = intake.ask(phone=PHONE, box=[-80.4, 25.7, -80.2, 25.9]).json()
    assert (answer["record_ids"], answer["without_point"]) == (["r-1"], 1)


async def test_a_search_for_an_exempt_case_is_withheld_as_long() -> None:
    intake = SearchedIntake()
    until = intake.clock.now() + timedelta(days=30)
    now = intake.clock.now()
    given = grant(kind="law_enforcement", prepared_at=now, valid_until=now + DAY)
    exempt = ev.CaseExemption(exempt=True, until=until)
    await intake.office.say(intake.office.approved(given, exemption=exempt))
    intake.ask(types=["ROAD"])
    intake.ask(words="dog")
    assert [event.outcome for event in intake.told] == ["success", "denied"]
    assert {event.retention.exempt_until for event in intake.told} == {until}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"words": "canary", "phone": PHONE}, "words"),
        ({"words": "--"}, "words"),
        ({"phone": "canary"}, "phone"),
        ({"box": [-80.2, 25.7, -80.4, 25.9]}, "box"),
        ({"types": ["x"] * 101}, "types"),
        ({"departments": ["Canary!"]}, "departments.0"),
        ({"canary": 1}, ""),
    ],
)
async def test_what_is_no_search_is_refused_without_an_echo(
    body: dict[str, Any], field: str
) -> None:
    intake = SearchedIntake()
    await intake.granted()
    answer = intake.ask(**body)
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [field]
    assert "canary" not in answer.text.lower()
    assert intake.told == []


async def test_nothing_of_the_query_is_in_the_entries() -> None:
    intake = SearchedIntake()
    await intake.granted()
    await intake.request("r-1", {"phone": PHONE, "description": "A canarywort, José!"})
    intake.found(words=WORDS)
    intake.found(phone=PHONE)
    rule(intake.ask("custodian:vera", words=WORDS))
    written = b"".join(each.message.body for each in intake.access_log.entries).lower()
    for word in (b"canarywort", b"jos", b"5550142", b"555-0142"):
        assert word not in written


def test_the_same_words_have_the_same_hash_whatever_their_order_and_case() -> None:
    assert words_of("José CANARYWORT") == words_of("canarywort  ｊｏｓé!") == {"jose", "canarywort"}
    indexes = IntakeUnderTest().indexes
    one, other = (" ".join(sorted(words_of(each))) for each in ("b A", "a, B"))
    assert indexes.text_query("words", one) == indexes.text_query("words", other)
    assert indexes.text_query("words", one) != indexes.query("name", "a b")


async def test_a_record_whose_key_is_gone_is_left_out() -> None:
    intake = SearchedIntake()
    await intake.granted()
    await intake.texts(r1={"description": "dog"}, r2={"description": "dog"})
    await intake.keys.destroy("r1")
    assert intake.found(words="dog") == ["r2"]
    assert intake.told[-1].outcome == "error"


def test_the_texts_of_fields_in_json_are_the_ones_that_somebody_wrote() -> None:
    updates = {"u-1": {"description": "One", "media_url": ["https://two.example"]}}
    assert handlers.words_in({"updates": json.dumps(updates).encode()}) == {"one"}
