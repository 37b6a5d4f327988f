"""A protected person shows when name, number or mailbox is written otherwise.

What is tried: every way of writing one person, in new requests, in corrections, in requests from
before, in entries, and in the search for a person's records.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from direct311.intake.fields import contact_wrong, phone_wrong
from direct311.intake.indexes.handlers.hits import MANY, Hits
from direct311.intake.reporter.handlers.subject import MOST_A_DAY
from direct311.intake.request import READINGS
from direct311.intake.staff.handlers.contact import Contact
from direct311.runtime.access.rules import Caller
from tests.support.addresses import InOneLine
from tests.support.county import County
from tests.support.disclosures import no_cases
from tests.support.submissions import submission
from tests.unit.intake.protection import test_reindex
from tests.unit.intake.protection.test_address_index import submitted
from tests.unit.intake.protection.test_protect import ProtectingIntake
from tests.unit.intake.reporter import test_subject

pytestmark = pytest.mark.anyio

PHONE = "305-555-0142"
EMAIL = "zora.neale@gmail.com"
NAME = "Zora Neale Hurston"

NAMES: Mapping[str, tuple[str, str]] = {
    "without the middle name": ("Zora", "Hurston"),
    "with an initial": ("Zora N.", "Hurston"),
    "with an initial without its period": ("Zora N", "Hurston"),
    "with a fourth name": ("Zora Neale", "Hurston Toomer"),
    "in capitals": ("ZORA NEALE", "HURSTON"),
    "the other way round": ("Hurston", "Zora Neale"),
    "in one field": ("Hurston, Zora N.", ""),
    "twice": ("Zora Hurston", "Zora Hurston"),
    "with a title": ("Dr. Zora", "Hurston"),
    "with two titles": ("Rev. Dr. Zora", "Hurston"),
    "with a title of Spanish": ("Sra. Zora", "Hurston"),
    "with a title of Creole": ("Madan Zora", "Hurston"),
    "with a suffix": ("Zora", "Hurston, Ph.D."),
    "with a rank": ("Det. Sgt. Zora Neale", "Hurston"),
    "with a hyphen": ("Zora-Neale", "Hurston"),
    "with hyphened surnames": ("Zora", "Neale-Hurston"),
    "in one word": ("ZoraNeale", "Hurston"),
    "with an accent": ("Zóra", "Húrston"),
    "in Cyrillic letters": ("Z\u043er\u0430 N\u0435\u0430l\u0435", "Hurst\u043en"),
    "with one Greek letter": ("Z\u03bfra", "Hurston"),
    "in wide letters": ("\uff3a\uff4f\uff52\uff41", "Hurston"),
    "with a nought": ("Z0ra Neale", "Hurst0n"),
    "with nothing seen between": ("Zo\u200bra", "Hur\u2060ston"),
    "with a soft hyphen": ("Zo\u00adra", "Hurston"),
    "with blanks of other kinds": ("Zora\u00a0Neale", "\u3000Hurston"),
    "with double blanks": ("Zora   Neale", "  Hurston"),
    "with a nickname": ('Zora "Zee"', "Hurston"),
    "with another person": ("Langston & Zora", "Hurston"),
    "with another person and a word": ("Langston and Zora", "Hurston"),
    "as a judge": ("Judge Zora", "Hurston"),
    "as a judge with a comma": ("Judge Hurston, Zora", ""),
    "as a judge in the last name": ("Zora", "Judge Hurston"),
    "as a judge behind": ("Zora", "Hurston Judge"),
    "as a doctor with a comma": ("Dr. Hurston, Zora", ""),
    "as a doctor in the last name": ("Zora", "Dr. Hurston"),
    "as a justice": ("Justice Zora", "Hurston"),
    "as a trooper": ("Trooper Zora", "Hurston"),
    "as a firefighter": ("Firefighter Zora", "Hurston"),
    "as a special agent": ("Special Agent Zora", "Hurston"),
    "as a prosecutor": ("Assistant State Attorney Zora", "Hurston"),
    "as a nurse": ("Nurse Zora", "Hurston"),
    "as a sergeant in Spanish": ("Sargento Zora", "Hurston"),
    "as a firefighter in Spanish": ("Bombera Zora", "Hurston"),
    "as a police officer in Creole": ("Polisye Zora", "Hurston"),
    "as a nurse in Creole": ("Enfimy\u00e8 Zora", "Hurston"),
    "as a police officer": ("Police Officer Zora", "Hurston"),
    "with no last name": ("Zora Hurston", "N/A"),
    "with no last name in Spanish": ("Zora Hurston", "ninguno"),
    "with na for a last name": ("Zora Hurston", "NA"),
    "as a family": ("Zora", "Hurston family"),
    "as an owner": ("Owner Zora", "Hurston"),
    "with a number behind": ("Zora", "Hurston 305-555-0199"),
    "with a number of an apartment": ("Zora", "Hurston 2"),
    "with an address of mail": ("Zora", "Hurston <zora@example.org>"),
    "with an address behind": ("Zora", "Hurston, 7311 SW 107 AVE"),
    "with a sentence for a last name": ("Zora Neale Hurston", "of the green corner store"),
}
"""`NAME` as first and last name of a form."""

EMAILS: Mapping[str, str] = {
    "with a tag": "zora.neale+311@gmail.com",
    "with two tags": "zora.neale+311+a@gmail.com",
    "without dots": "zoraneale@gmail.com",
    "with more dots": "z.o.r.a.neale@gmail.com",
    "in capitals": "Zora.Neale@GMAIL.com",
    "at the other domain": "zora.neale@googlemail.com",
    "with all of it": "ZoraNeale+x@GoogleMail.com",
    "in Cyrillic letters": "z\u043er\u0430.neale@gmail.com",
    "with a Cyrillic domain": "zora.neale@gm\u0430il.com",
    "in wide letters": "\uff5aora.neale@gmail.com",
    "with a wide sign": "zora.neale\uff20gmail.com",
    "in quotes": '"zora.neale"@gmail.com',
    "with a comment": "zora.neale(home)@gmail.com",
    "in brackets": "<zora.neale@gmail.com>",
    "as a link": "mailto:zora.neale@gmail.com",
    "behind another": "other@example.org,zora.neale@gmail.com",
    "with nothing seen": "zora\u200b.neale@gmail.com",
    "with a soft hyphen": "zora.ne\u00adale@gmail.com",
}

PHONES: Mapping[str, str] = {
    "with a country": "+1 (305) 555-0142",
    "with an exit code": "011 1 305 555 0142",
    "with noughts": "001 305 555 0142",
    "with an extension": "305-555-0142 x12",
    "with an extension in words": "305 555 0142, extensi\u00f3n 7",
    "in wide digits": "\uff13\uff10\uff15\uff15\uff15\uff15\uff10\uff11\uff14\uff12",
    "in Arabic digits": "\u0663\u0660\u0665\u0665\u0665\u0665\u0660\u0661\u0664\u0662",
    "with letters for digits": "3O5 555 Ol42",
    "in words": "three zero five 555 zero one four two",
    "in words of Spanish": "tres cero cinco 555 0142",
    "before another": "305-555-0142 / 786-555-0199",
    "behind another": "786-555-0199 or 305-555-0142",
    "behind another without a sign": "7865550199 3055550142",
    "behind another in Creole": "7865550199 oswa 3055550142",
    "as the end of another": "305-555-0199/0142",
    "with slashes": "305/555/0142",
    "digit by digit": "3.0.5.5.5.5.0.1.4.2",
    "with signs": "305_555*0142",
    "with nothing seen": "305\u200b555\u200b0142",
    "without its area code": "555-0142",
    "in a sentence": "call 305 555 0142 after 5",
    "as a link": "tel:+1-305-555-0142",
    "behind a time": "after 5pm 305 555 0142",
    "behind hours": "call 9-5 at 305-555-0142",
    "behind days": "24/7: 305-555-0142",
    "behind an apartment": "2 305-555-0142",
    "behind a time and with a one": "5pm 1-305-555-0142",
    "with one nought": "0305 555 0142",
    "as the first of a list": "1: 305-555-0142 2: 786-555-0199",
}

WAYS: dict[str, dict[str, str]] = {
    **{
        f"name {kind}": {"first_name": first, "last_name": last}
        for kind, (first, last) in NAMES.items()
    },
    **{f"e-mail {kind}": {"email": email} for kind, email in EMAILS.items()},
    **{f"phone {kind}": {"phone": phone} for kind, phone in PHONES.items()},
}
OTHERS: dict[str, dict[str, str]] = {
    "another middle name": {"first_name": "Zora Ann", "last_name": "Hurston"},
    "another initial": {"first_name": "Zora A.", "last_name": "Hurston"},
    "another surname in titles": {"first_name": "Judge Zora Neale", "last_name": "Hughes"},
    "another surname": {"first_name": "Zora Neale", "last_name": "Hughes"},
    "a first name alone": {"first_name": "Zora"},
    "a surname alone": {"last_name": "Hurston"},
    "dots where they count": {"email": "zora.neale@example.org"},
    "another mailbox": {"email": "zora.neale2@gmail.com"},
    "another number": {"phone": "305-555-0143"},
    "another area": {"phone": "786-555-0142"},
}


def _is_taken(contact: Mapping[str, str]) -> bool:
    """Whether the forms let these values through at all."""
    return all(contact_wrong(field, value) is None for field, value in contact.items() if value)


TAKEN = {kind: way for kind, way in WAYS.items() if _is_taken(way)}
REFUSED = ("e-mail with a wide sign", "e-mail behind another")
"""What an entry may hold and a form may not."""


class Registry:
    """The registry that a custodian has filled through the API."""

    version = 1

    def __init__(self, intake: ProtectingIntake) -> None:
        self._hashes = {h for each in intake.store.kept.values() for h in each.hashes}

    def matches(self, hashes: Iterable[str]) -> bool:
        return not self._hashes.isdisjoint(hashes)


@pytest.fixture
def intake() -> ProtectingIntake:
    intake = ProtectingIntake()
    assert intake.enter(phone=PHONE, email=EMAIL, name=NAME).status_code == 201
    return intake


def test_nearly_every_way_is_taken_by_the_forms() -> None:
    assert set(WAYS) - set(TAKEN) == set(REFUSED)
    assert len(TAKEN) > 60


def _given(contact: Mapping[str, str]) -> dict[str, str]:
    return {field: value.strip() for field, value in contact.items() if value.strip()}


@pytest.mark.parametrize("way", TAKEN.values(), ids=TAKEN)
async def test_a_new_request_is_protected_however_its_reporter_is_written(
    intake: ProtectingIntake, way: dict[str, str]
) -> None:
    request = await submitted(
        InOneLine(), _given(way), indexes=intake.indexes, protections=Registry(intake)
    )
    assert request.protected


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
async def test_the_request_of_somebody_else_is_not(
    intake: ProtectingIntake, other: dict[str, str]
) -> None:
    request = await submitted(
        InOneLine(), _given(other), indexes=intake.indexes, protections=Registry(intake)
    )
    assert not request.protected


def _entered_as(way: Mapping[str, str]) -> dict[str, str]:
    """The same writing as a custodian enters it."""
    if "email" in way or "phone" in way:
        return dict(way)
    return {"name": f"{way['first_name']} {way['last_name']}".strip()}


PLAIN = {"first_name": "Zora Neale", "last_name": "Hurston", "email": EMAIL, "phone": PHONE}
SHORT = (
    "phone without its area code",
    "name with another person",
    "name as a judge in the last name",
    "name as a judge behind",
    "name as a doctor in the last name",
    "name with na for",
    "name with a sentence",
)
"""An entry of less than a number is one of that alone; an entry names one person, and is sought
with what may be a name in its midst."""


@pytest.mark.parametrize(
    "way", [pytest.param(way, id=kind) for kind, way in WAYS.items() if not kind.startswith(SHORT)]
)
async def test_an_entry_protects_however_it_was_entered(way: dict[str, str]) -> None:
    intake = ProtectingIntake()
    assert intake.enter(**_entered_as(way)).status_code == 201
    request = await submitted(
        InOneLine(), PLAIN, indexes=intake.indexes, protections=Registry(intake)
    )
    assert request.protected


def _is_number(way: Mapping[str, str]) -> bool:
    """Whether `/v1` takes what is sent as a telephone number for one."""
    return phone_wrong(way.get("phone", PHONE)) is None


CORRECTIONS = {
    kind: way for kind, way in list(TAKEN.items())[::4] if all(way.values()) and _is_number(way)
}
NUMBERS_IN_TEXT = {kind: way for kind, way in TAKEN.items() if not _is_number(way)}
"""Clients of Open311 may send these, and they protect; a correction must be a number."""


@pytest.mark.parametrize("way", CORRECTIONS.values(), ids=CORRECTIONS)
async def test_a_correction_protects(way: dict[str, str]) -> None:
    intake = test_subject.SubjectIntake()
    of = intake.indexes.person
    intake.registry.hashes = {*of("phone", PHONE), *of("email", EMAIL), *of("name", NAME)}
    await intake.request(plain={"description": "A dog."})
    body: dict[str, Any] = dict(_given(way))
    if "email" in body:
        body["email_notice_version"] = next(iter(test_subject.NOTICES))
    answer = intake.correct(body)
    assert answer.status_code == 200, answer.text
    assert intake.state().protected


@pytest.mark.parametrize("way", NUMBERS_IN_TEXT.values(), ids=NUMBERS_IN_TEXT)
async def test_a_correction_with_a_number_in_a_text_is_refused(way: dict[str, str]) -> None:
    intake = test_subject.SubjectIntake()
    before = await intake.request(plain={"description": "A dog."})
    answer = intake.correct(dict(_given(way)))
    assert (answer.status_code, answer.json()["field"]) == (422, "phone")
    assert intake.state() == before


@pytest.mark.parametrize("way", [{"email": EMAILS["with a tag"]}, {"phone": PHONES["in words"]}])
async def test_a_request_of_before_is_protected_once_it_is_indexed_anew(
    way: dict[str, str],
) -> None:
    intake, keys = test_reindex.ReindexingIntake(), test_reindex.indexes(1)
    intake.registry.hashes = {*keys.person("email", EMAIL), *keys.person("phone", PHONE)}
    await intake.indexed("r0", keys, way)
    older = {"email": ("1:older",), "phone": ("1:older",)}
    await intake.put("r0", indexes=older, index_readings=1, place_checked=True, listed=True)
    assert (await intake.batch(keys)).done == 1
    state = intake.state("r0")
    assert (state.protected, state.listed, state.index_readings) == (True, False, READINGS)
    (event,) = intake.access_log.events()
    assert event.what.record_ids == ("r0",)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_the_search_for_a_person_finds_however_it_was_asked_for_or_written(
    way: dict[str, str],
) -> None:
    intake = test_subject.SubjectIntake()
    await intake.request("r-1", _given(way))
    await intake.request("r-2", {"email": "other@example.org", "phone": "305-555-0111"})
    contact = Contact(_Indexed(intake), intake.vault, intake.indexes, no_cases())  # type: ignore[arg-type]
    found = await contact.records_of(
        Caller("ana", roles=("agent",)),
        {"name": NAME}
        if "first_name" in way
        else {k: {"email": EMAIL, "phone": PHONE}[k] for k in way},
        purpose="respond",
        reference=None,
        justification=None,
        operation="POST /internal/persons/resolve",
    )
    assert list(found) == ["r-1"]


GUESSES: Mapping[str, dict[str, str]] = {
    "numbers": {"phone": "305-555-01{:02}"},
    "first names": {"first_name": "Zora{}"},
    "both": {"phone": "305-555-01{:02}", "last_name": "Hurston{}"},
    "last names": {"last_name": "Hurston{}"},
    "long first names": {"first_name": "Zora Neale{}"},
}


@pytest.mark.parametrize("guess", GUESSES.values(), ids=GUESSES)
async def test_a_link_tries_so_many_values_a_day(guess: dict[str, str]) -> None:
    intake = test_subject.SubjectIntake()
    await intake.request(plain={"description": "A dog."})
    for number in range(MOST_A_DAY):
        values = {field: value.format(number) for field, value in guess.items()}
        assert intake.correct(values).status_code == 200
    values = {field: value.format(99) for field, value in guess.items()}
    refused = intake.correct(values)
    assert (refused.status_code, "retry-after" in refused.headers) == (429, True)
    intake.clock.at += timedelta(days=1)
    assert intake.correct(values).status_code == 200


async def test_what_was_found_stays_found_whatever_is_tried_next() -> None:
    intake = test_subject.SubjectIntake()
    intake.registry.hashes = {*intake.indexes.person("phone", PHONE)}
    await intake.request(plain={"description": "A dog."})
    for phone in (PHONE, "305-555-0111", "305-555-0112"):
        assert intake.correct({"phone": phone}).status_code == 200
        assert intake.state().protected


async def test_a_client_whose_requests_the_registry_often_knows_is_written_down() -> None:
    hits, at = Hits(), datetime(2026, 3, 2, 12, tzinfo=UTC)
    with capture_logs() as logs:
        for client in ("one", "other"):
            for number in range(MANY - 1):
                hits.note(client, at + timedelta(minutes=number))
        assert logs == []
        hits.note("one", at + timedelta(minutes=20))
        hits.note("other", at + timedelta(hours=1))
    assert [(each["event"], each["client"], each["hits"]) for each in logs] == [
        ("protection.many_hits", "one", MANY)
    ]


class _Indexed:
    """`Requests` by their index values."""

    def __init__(self, intake: test_subject.SubjectIntake) -> None:
        self._intake = intake

    async def with_index(self, field: str, values: Iterable[str], limit: int) -> list[str]:
        wanted = set(values)
        return [
            record_id
            for record_id, document in self._intake.records.documents.items()
            if not wanted.isdisjoint(document.state.indexes.get(field, ()))
        ][:limit]


LIVE = {
    "e-mail": {"email": "LudovicaProtected+311@GoogleMail.com"},
    "phone": {"phone": "786-555-0100 or 305 555 O188"},
    "name": {"first_name": "Dra. Lud\u043evica Q.", "last_name": "Protegid\u0430-Vega"},
}


@pytest.mark.e2e
async def test_on_the_running_stack_a_protected_person_does_not_show(county: County) -> None:
    order = {
        "reference": "PR-41",
        "citation": "section 119.071(4)(d)2.a., F.S.",
        "email": "ludovica.protected@gmail.com",
        "phone": "(305) 555-0188",
        "name": "Ludovica Protegida Vega",
    }
    entered = await county.post("intake", "/v1/protections", order, "custodian", "carla")
    try:
        for number, way in enumerate(LIVE.values()):
            place = {"lat": "25.6411", "long": f"-80.40{number}1"}
            fields = submission(970 + number, place=place, reported=False, **way)
            record_id = await county.accepted(fields)
            job = await county.routed(record_id)
            assert job["routed"]["protected"]
            assert (await county.request(record_id))["lat"] is None
            (field, *_) = way
            asked = {"email": order["email"], "phone": order["phone"]}.get(field)
            question = {
                "purpose": "respond",
                **({field: asked} if asked else {"name": order["name"]}),
            }
            found = await county.post(
                "intake", "/internal/persons/resolve", question, "agent", "ana"
            )
            assert record_id in found["record_ids"]
    finally:
        await county.unprotect(entered["protection_id"])
