"""A text that shows nothing, or says nothing, is no reason and no reference: not for the access
rules, not for any command. What honest people write in five languages is one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from direct311.audit.disposition.api import HoldOrder as LogHoldOrder
from direct311.audit.disposition.api import ReleaseOrder as LogReleaseOrder
from direct311.audit.index.api import RebuildQuestion
from direct311.intake.clients.api.clients import ChangeOrder, ReferenceOrder, RotationOrder
from direct311.intake.protection.api import ProtectionOrder
from direct311.intake.reporter.api.subject import LinkOrder
from direct311.intake.staff.api.records import ReleaseOrder
from direct311.retention.api import Reason
from direct311.retention.holds.api import HoldOrder
from direct311.runtime.access.rules import Caller, RecordFacts, load_access_policy
from direct311.runtime.http.key_routes import KeyCommand
from direct311.schemas import Model
from tests.support.county import County
from tests.support.submissions import submission

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
POLICY = load_access_policy()
FACTS = RecordFacts("r-1", "animal_services")

UNSEEN = {
    "zero width spaces": "\u200b" * 20,
    "zero width joiners": "\u200d\u200c" * 10,
    "word joiners": "\u2060" * 20,
    "byte order marks": "\ufeff" * 20,
    "direction marks": "\u200e\u200f" * 10,
    "overrides": "\u202e\u202d\u202c" * 8,
    "isolates": "\u2066\u2067\u2069" * 8,
    "soft hyphens": "\u00ad" * 20,
    "hangul fillers": "\u3164" * 20,
    "half-width hangul fillers": "\uffa0" * 20,
    "hangul jamo fillers": "\u115f\u1160" * 10,
    "hangul fillers as words": "\u3164\u115f\u1160\uffa0 \u115f\u3164\u1160 \uffa0\u115f\u3164",
    "braille blanks": "\u2800" * 20,
    "no-break spaces": "\u00a0\u202f" * 10,
    "ideographic spaces": "\u3000" * 20,
    "em and thin spaces": "\u2003\u2009" * 10,
    "variation selectors": "\ufe0f\ufe00" * 10,
    "supplementary variation selectors": "\U000e0100\U000e01ef" * 10,
    "tags that spell words": "".join(chr(0xE0000 + ord(c)) for c in "call the owner 12"),
    "grapheme joiners": "\u034f" * 20,
    "khmer vowels that show nothing": "\u17b4\u17b5" * 10,
    "mongolian separators": "\u180e\u180b" * 10,
    "invisible operators": "\u2061\u2062\u2063\u2064" * 5,
    "annotations": "\ufff9\ufffa\ufffb" * 6,
    "musical format characters": "\U0001d173\U0001d17a" * 10,
    "private use": "\ue000\uf8ff" * 10,
    "marks without a letter": "\u0301\u0308\u0327" * 6,
    "control characters": "\x01\x02\x1b" * 6,
    "line ends and tabs": "\n\t\r\n\u2028" * 6,
    "blanks": " " * 20,
}
SAYING_NOTHING = {
    "dots": ". . . . . . . . . . . .",
    "dashes": "-" * 20,
    "one letter again and again": "aaaaaaaaaa aaaaaaaa",
    "two letters": "x y x y x y x y x y x y",
    "one letter in many alphabets": "a\u0430a\u00e1\u00c1A a\u00e0 aa\uff41",
    "ligatures that unfold into a sentence": "\ufdfa \ufdfb",
    "letters between fillers": "a\u3164\u3164\u3164\u3164\u3164\u3164\u3164\u3164b c",
    "emoji": "\U0001f600 \U0001f601 \U0001f602 \U0001f603 \U0001f604 \U0001f605",
    "underscores": "_____ _____ _____",
    "one Chinese character": "\u5582" * 20,
    "two Chinese characters": "\u54c8\u5475" * 10,
    "three Chinese characters": "\u5df2\u548c\u89e3",
}
REASONS = UNSEEN | SAYING_NOTHING
REFERENCES = UNSEEN | {
    "a dash": "-",
    "a long dash": "\u2014",
    "a wide dash": "\uff0d",
    "a dot": ".",
    "a question mark": "?",
    "none": "none",
    "n/a": "n/a",
    "a letter": "x",
    "a nought": "0",
    "nothing but noughts": "0-0",
    "noughts of all scripts": "0 \u0660 \u06f0 \uff10",
    "a nought behind fillers": "\u3164\u31640",
    "signs": "\u00a7 # \u2116",
    "a dash behind fillers": "\u3164\u3164-1",
    "a formula": "=1+1",
    "a wide formula": "\uff1d1+1",
    "a sum": "+1",
    "markup": "<WO-1>",
}
HONEST_REFERENCES = {
    "a work order": "WO-2117",
    "a file number": "22",
    "a file number of one digit": "7",
    "a court case": "2026-001234-CA-01",
    "a number sign": "#26-114",
    "a section of the law": "\u00a7 119.07(1)(h), F.S.",
    "a section behind a file": "PR-2026-17, \u00a7 3",
    "a quoted name": "\u201cDoe\u201d 26-1",
    "a quoted name, plainly": '"Doe" 26-1',
    "a French name and number": "\u00abDub\u00e9\u00bb n\u00b0 12",
    "a degree sign for a number": "N\u00b0 12",
    "an ordinal for a number": "N\u00ba 12",
    "a numero sign": "\u2116 12",
    "two files": "WO-2117; PR 26/44",
    "a sum of files": "Doe/Smith 26+27",
    "Spanish": "Expediente n\u00fam. 12",
    "Spanish with a dash": "carta n\u00fam. 3 \u2013 \u00d1",
    "Spanish, decomposed": "Expediente nu\u0301m. 12",
    "Haitian Creole": "L\u00e8t 3 mas nan O\u2019Brien",
    "Portuguese": "carta de 3 de mar\u00e7o",
    "Arabic": "\u0627\u0644\u0631\u0633\u0627\u0644\u0629 \u0661\u0662",
    "Hindi, marks and all": "\u092b\u093c\u093e\u0907\u0932 \u0967\u0968",
    "Chinese": "\u6848\u4ef6 26-114",
    "a dash of another kind": "26\u2212114",
    "a date": "letter of 3 March",
}
HONEST_REASONS = {
    "English": "Gas leak next door; evacuate the block",
    "English, short": "Heart attack",
    "Spanish": "Fuga de gas, evacuar",
    "Haitian Creole": "Gaz ap koule, deplase moun yo",
    "Arabic": "\u062d\u0631\u064a\u0642 \u0641\u064a \u0627\u0644\u0645\u0628\u0646\u0649",
    "Russian": "\u041f\u043e\u0436\u0430\u0440 \u0432 \u0434\u043e\u043c\u0435",
    "Chinese": "\u74e6\u65af\u6f0f\u6c23\u8acb\u7acb\u5373\u758f\u6563\u5c45\u6c11",
    "Chinese, short": "\u5c4b\u5185\u6709\u5b69\u5b50",
    "Chinese with a number": "\u74e6\u65af\u6f0f\u6c23\u5feb\u758f\u65633\u6a13",
    "Japanese": "\u5bb6\u306b\u5b50\u3069\u3082\u304c\u3044\u307e\u3059",
    "Japanese, kana": "\u3053\u3069\u3082\u304c\u306a\u304b\u306b\u3044\u307e\u3059",
    "Thai": "\u0e44\u0e1f\u0e44\u0e2b\u0e21\u0e49\u0e1a\u0e49"
    "\u0e32\u0e19\u0e15\u0e34\u0e14\u0e01\u0e31\u0e19",
}


def ids(texts: Mapping[str, str]) -> list[Any]:
    return [pytest.param(text, id=name) for name, text in texts.items()]


# ---------------------------------------------------------------- the access rules


@pytest.mark.parametrize("text", ids(REASONS))
@pytest.mark.parametrize("purpose", ["public_safety", "emergency_assistance"])
def test_the_glass_is_not_broken_without_a_reason(purpose: str, text: str) -> None:
    caller = Caller("eve", ("agent",))
    found = POLICY.decide(caller, purpose, ("phone",), FACTS, justification=text, at=NOW)
    assert (found.allowed, found.rule_id) == (False, "refused:justification")
    assert text not in found.needed


IN_DANGER = (
    "House fire",
    "Gas leak!",
    "GAS LEAK",
    "Shooting",
    "flooding",
    "Child missing",
    "Downed power line",
    "¡Incendio!",
    "Fuga de gas",
    "Dife nan kay",
    "пожар дома",
    "Tiếng súng",
)
SHORT = {
    "one word too short": "fire",
    "five letters": "fires",
    "letters and digits": "fire 22",
    "digits": "911911 9112",
    "one letter": "aaaaaaaa",
    "three letters": "abc abc abc",
    "letters apart": "f i r e x y",
    "fillers behind": "fire​​​ㅤㅤ",
    "tags behind": "fire" + "".join(chr(0xE0000 + ord(c)) for c in " in the house"),
    "marks behind": "firȩ̧́̈́̈",
    "dots": "fire......",
    "urgent": "urgent",
    "emergency": "EMERGENCY!!!",
    "emergency again": "Emergency, emergency",
    "in Spanish": "¡Urgente!",
    "in Creole": "Ijans",
    "a letter more": "urgent x",
}


@pytest.mark.parametrize("text", IN_DANGER)
@pytest.mark.parametrize("purpose", ["public_safety", "emergency_assistance"])
def test_where_there_is_danger_a_word_or_two_will_do(purpose: str, text: str) -> None:
    caller = Caller("eve", ("agent",))
    found = POLICY.decide(caller, purpose, ("phone",), FACTS, justification=text, at=NOW)
    assert (found.allowed, found.obligations) == (True, ("open_review",))


@pytest.mark.parametrize("text", ids(SHORT))
@pytest.mark.parametrize("purpose", ["public_safety", "emergency_assistance"])
def test_less_than_a_word_is_no_danger(purpose: str, text: str) -> None:
    caller = Caller("eve", ("agent",))
    found = POLICY.decide(caller, purpose, ("phone",), FACTS, justification=text, at=NOW)
    assert (found.allowed, found.rule_id) == (False, "refused:justification")


@pytest.mark.parametrize("text", ids(REFERENCES))
@pytest.mark.parametrize(
    ("role", "purpose", "field"),
    [("counsel", "county_business", "description"), ("auditor", "authorised_audit", "audit_entry")],
)
def test_nothing_is_opened_without_a_reference(
    role: str, purpose: str, field: str, text: str
) -> None:
    found = POLICY.decide(Caller("cole", (role,)), purpose, (field,), FACTS, reference=text, at=NOW)
    assert (found.allowed, found.rule_id) == (False, "refused:reference")


@pytest.mark.parametrize("text", ids(HONEST_REFERENCES))
@pytest.mark.parametrize(
    ("role", "purpose", "field"),
    [("counsel", "county_business", "description"), ("auditor", "authorised_audit", "audit_entry")],
)
def test_an_honest_reference_opens(role: str, purpose: str, field: str, text: str) -> None:
    found = POLICY.decide(Caller("cole", (role,)), purpose, (field,), FACTS, reference=text, at=NOW)
    assert found.allowed, found.needed


@pytest.mark.parametrize("text", ids(HONEST_REASONS))
@pytest.mark.parametrize("purpose", ["public_safety", "emergency_assistance"])
def test_an_honest_reason_opens(purpose: str, text: str) -> None:
    caller = Caller("eve", ("agent",))
    found = POLICY.decide(caller, purpose, ("phone",), FACTS, justification=text, at=NOW)
    assert found.allowed, found.needed


# ---------------------------------------------------------------- commands

WHY: list[tuple[type[Model], str, dict[str, Any]]] = [
    (LinkOrder, "justification", {}),
    (ReleaseOrder, "reason", {"basis": "identified"}),
    (Reason, "reason", {}),
    (LogReleaseOrder, "reason", {}),
]
ORDERED: list[tuple[type[Model], str, dict[str, Any]]] = [
    (ProtectionOrder, "reference", {"citation": "section 119.071", "phone": "305-555-0100"}),
    (ReferenceOrder, "reference", {}),
    (ChangeOrder, "reference", {}),
    (RotationOrder, "reference", {}),
    (KeyCommand, "reference", {}),
    (RebuildQuestion, "reference", {}),
]
AUTHORITY: list[tuple[type[Model], str, dict[str, Any]]] = [
    (ProtectionOrder, "citation", {"reference": "PR-1", "phone": "305-555-0100"}),
    (HoldOrder, "authority", {"name": "a suit", "kind": "litigation", "record_ids": ["r"]}),
    (HoldOrder, "name", {"authority": "26-1", "kind": "litigation", "record_ids": ["r"]}),
    (LogHoldOrder, "authority", {"name": "a suit", "kind": "litigation"}),
    (LogHoldOrder, "name", {"authority": "26-1", "kind": "litigation"}),
]


def refused(model: type[Model], field: str, rest: Mapping[str, Any], text: str) -> None:
    with pytest.raises(ValidationError) as error:
        model.model_validate({**rest, field: text})
    assert {each["loc"] for each in error.value.errors(include_input=False)} == {(field,)}


@pytest.mark.parametrize("text", ids(REASONS))
@pytest.mark.parametrize(("model", "field", "rest"), WHY)
def test_no_command_is_done_without_a_reason(
    model: type[Model], field: str, rest: dict[str, Any], text: str
) -> None:
    model.model_validate({**rest, field: "The caller knew the day and the place."})
    refused(model, field, rest, text)


@pytest.mark.parametrize("text", ids(REFERENCES))
@pytest.mark.parametrize(("model", "field", "rest"), ORDERED)
def test_no_command_is_done_without_a_reference(
    model: type[Model], field: str, rest: dict[str, Any], text: str
) -> None:
    model.model_validate({**rest, field: "WO-2117"})
    refused(model, field, rest, text)


@pytest.mark.parametrize("text", ids(UNSEEN))
@pytest.mark.parametrize(("model", "field", "rest"), AUTHORITY)
def test_nothing_is_held_by_the_order_of_nobody(
    model: type[Model], field: str, rest: dict[str, Any], text: str
) -> None:
    model.model_validate({**rest, field: "Case 26-114"})
    refused(model, field, rest, text)


@pytest.mark.parametrize("text", ["House fire", "Gas leak!", "Shooting"])
@pytest.mark.parametrize(("model", "field", "rest"), WHY)
def test_what_will_do_in_danger_is_no_reason_of_a_command(
    model: type[Model], field: str, rest: dict[str, Any], text: str
) -> None:
    refused(model, field, rest, text)


@pytest.mark.parametrize("text", ids(HONEST_REFERENCES))
@pytest.mark.parametrize(("model", "field", "rest"), ORDERED + AUTHORITY[:2])
def test_a_command_takes_an_honest_reference(
    model: type[Model], field: str, rest: dict[str, Any], text: str
) -> None:
    assert getattr(model.model_validate({**rest, field: text}), field)


@pytest.mark.parametrize("text", ids(HONEST_REASONS))
@pytest.mark.parametrize(("model", "field", "rest"), WHY)
def test_a_command_takes_an_honest_reason(
    model: type[Model], field: str, rest: dict[str, Any], text: str
) -> None:
    assert getattr(model.model_validate({**rest, field: text}), field) == text


# ---------------------------------------------------------------- on the running stack


@pytest.mark.e2e
@pytest.mark.anyio
async def test_no_door_opens_for_a_text_that_shows_nothing(county: County) -> None:
    record_id = await county.accepted(submission(5101))
    link = f"/v1/requests/{record_id}/link"
    for text in REASONS.values():
        answer = await county.read_contact(
            record_id, "agent", "eve", purpose="public_safety", justification=text
        )
        assert answer.status_code == 422, answer.text
        assert answer.json()["field"] == "justification"
        answer = await county.ask("POST", "intake", link, "agent", "eve", {"justification": text})
        assert answer.status_code == 422, answer.text
        assert "letters or digits" in answer.json()["detail"]
    for text in ("-", "\u3164\u31640", "\u200b-\u200b", "n/a"):
        answer = await county.read_contact(
            record_id, "agent", "eve", purpose="county_business", reference=text
        )
        assert answer.status_code == 422, answer.text
        assert answer.json()["field"] == "reference"
    answer = await county.read_contact(
        record_id,
        "agent",
        "eve",
        purpose="public_safety",
        justification="A child may be inside the flooded house.",
    )
    assert answer.status_code == 200, answer.text
