"""What a package is searched for: fingerprints of what decisions withhold, and never the texts."""

import base64
import os
from typing import Any

import pytest
from starlette.testclient import TestClient

from direct311.intake.leaks.api import leaks_router
from direct311.intake.leaks.domain import WithheldText
from direct311.intake.leaks.handlers import FingerprintWithheld, values_of
from direct311.redaction.leak_scan import LeakScanner
from direct311.redaction.leaks import Fingerprint
from direct311.runtime.access.rules import Caller
from direct311.runtime.http.api import caller_of
from tests.support.disclosures import CASE, DAY, Office, grant
from tests.support.intake import IntakeUnderTest
from tests.support.intake_stores import InMemoryRequests
from tests.support.links import FakeAuthenticator, bearer
from tests.support.withheld import InMemoryWithheld

pytestmark = pytest.mark.anyio

KEY = os.urandom(32)
PERSON = {
    "first_name": "Zora",
    "last_name": "Neale",
    "phone": "305-555-0142",
    "description": "My neighbor Ludmila Okonkwo calls from 786-555-0193 every night.",
}


class Brought(FakeAuthenticator):
    """A person whose call the service `via` brings."""

    via: str | None = "svc:retention"

    async def caller(self, *given: Any, **more: Any) -> Caller:
        found = await super().caller(*given, **more)
        return found.behind(self.via) if self.via else found


class LeakingIntake(IntakeUnderTest):
    def __init__(self) -> None:
        super().__init__()
        self.office = Office(self.clock)
        requests = InMemoryRequests(self.records)
        self.withheld = InMemoryWithheld(requests, self.vault, self.office.owner)
        self.brought = Brought(self.links)
        self.client: TestClient = self.serve(
            leaks_router(FingerprintWithheld(self.withheld), caller_of(self.brought))
        )

    async def granted(self, *record_ids: str) -> None:
        now = self.clock.now()
        fields = tuple(PERSON)
        given = grant(prepared_at=now, valid_until=now + DAY, record_ids=record_ids, fields=fields)
        assert await self.office.say(self.office.approved(given)) == []

    def ask(self, *record_ids: str, who: str = "custodian:lia", **changes: Any) -> Any:
        body = {"key": base64.b64encode(KEY).decode(), "record_ids": record_ids, **changes}
        return self.client.post(f"/internal/cases/{CASE}/leaks", json=body, headers=bearer(who))


def scanner(answer: Any) -> LeakScanner:
    assert answer.status_code == 200, answer.text
    found = [
        Fingerprint(
            **{
                **each,
                "rolling": int(each["rolling"], 16),
                "mac": bytes.fromhex(each["mac"]),
            }
        )
        for each in answer.json()["fingerprints"]
    ]
    return LeakScanner(KEY, found)


async def test_withheld_fields_and_spans_are_found_and_what_goes_out_is_not() -> None:
    intake = LeakingIntake()
    await intake.granted("r-1", "r-2")
    await intake.request("r-1", PERSON)
    await intake.request("r-2", {"phone": "305-555-0777"})
    intake.withheld.decided["r-1"] = {
        "first_name": None,
        "last_name": None,
        "phone": None,
        "description": [(12, 27)],
    }
    answer = intake.ask("r-1", "r-2")
    scan = scanner(answer)
    text = "NEALE, zora; (305)555.0142; ludmila\nokonkwo; 786-555-0193; 305-555-0777; Zora"
    found = {text[hit.start : hit.end] for hit in scan.scan(text)}
    assert found == {"NEALE, zora", "305)555.0142", "ludmila\nokonkwo"}
    # A first name alone is looked for where it was withheld.
    assert {hit.start for hit in scan.scan("Zora", "r-1")} == {0}
    assert scan.scan("Zora", "r-2") == []
    for value in (*PERSON.values(), "Ludmila", "3055550142"):
        assert value not in answer.text
    assert len(intake.access_log.events()) == 2


async def test_numbers_inside_a_withheld_text_are_looked_for_themselves() -> None:
    texts = [WithheldText("description", True, PERSON["description"])]
    kinds = {each.kind for each in values_of("r-1", texts)}
    assert {"text", "telephone"} <= kinds


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Okonkwo", "name"),
        ("12 NW 2nd Ave", "address"),
        ("4431", "number"),
        ("AB-4431", "identifier"),
        ("who lives behind the blue house on the corner", "text"),
    ],
)
def test_a_span_is_looked_for_as_what_it_looks_like(text: str, kind: str) -> None:
    found = [each.kind for each in values_of("r", [WithheldText("description", False, text)])]
    assert found[0] == kind


async def test_only_retention_asks_and_only_for_a_person_of_the_grant() -> None:
    intake = LeakingIntake()
    await intake.granted("r-1")
    await intake.request("r-1", PERSON)
    intake.withheld.decided["r-1"] = {"phone": None}
    assert intake.ask("r-1", who="custodian:vera").status_code == 403
    assert intake.ask("r-2").status_code == 404
    for via in (None, "svc:audit"):
        intake.brought.via = via
        answer = intake.ask("r-1")
        assert (answer.status_code, "caller" in answer.json()["type"]) == (403, True)
    assert intake.keys.fetches == []


async def test_without_the_log_nothing_is_opened() -> None:
    intake = LeakingIntake()
    await intake.granted("r-1")
    await intake.request("r-1", PERSON)
    intake.withheld.decided["r-1"] = {"phone": None}
    intake.access_log.down = True
    assert intake.ask("r-1").status_code == 503
    assert intake.keys.fetches == []


@pytest.mark.parametrize("key", ["", "canary", base64.b64encode(b"x" * 31).decode()])
async def test_a_key_has_32_bytes(key: str) -> None:
    answer = LeakingIntake().ask("r-1", key=key)
    assert answer.status_code == 422
    assert "canary" not in answer.text


async def test_what_was_withheld_when_a_record_went_out_is_looked_for_too() -> None:
    intake = LeakingIntake()
    await intake.request("r-1", PERSON)
    await intake.request("r-2", PERSON)
    await intake.granted("r-1", "r-2")
    intake.withheld.decided["r-1"] = {"phone": None}
    decisions = "d" * 64
    intake.withheld.released["r-2", decisions] = {"description": [(12, 27)]}
    released = [{"record_id": "r-2", "decisions": decisions}]
    found = scanner(intake.ask("r-1", released=released))
    kinds = {hit.record_id for hit in found.scan("Ludmila Okonkwo, 305 555 0142")}
    assert kinds == {"r-1", "r-2"}
    assert not scanner(intake.ask("r-1")).scan("Ludmila Okonkwo")
    # Alone, and one that is gone.
    released.append({"record_id": "r-9", "decisions": decisions})
    assert scanner(intake.ask(released=released)).scan("Ludmila Okonkwo")
    assert intake.ask().status_code == 422
    assert intake.ask(released=[{"record_id": "r-2", "decisions": "x"}]).status_code == 422
