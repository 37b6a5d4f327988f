"""Numbers and e-mail addresses in disguise: what a resident types and what a department notes.

Nothing of them is sealed (cards, banks, social security), travels or shows; the rest of the text
stays as it was typed. All numbers are published test numbers or from ranges that nobody has.
"""

import json
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from direct311.intake.submission.domain.submission import Submission
from direct311.intake.submission.handlers.submit import taken_in
from direct311.redaction import MARKS, Kind, mask_numbers, redact, redact_place, redact_reference
from direct311.routing.assignment.adapters import load_rules
from direct311.routing.job import Job
from direct311.routing.work.handlers import Answers
from direct311.runtime.text import cleaned
from direct311.schemas import Event
from direct311.schemas import events as ev
from tests.support.county import County, Document, until
from tests.support.runtime import NOW, SetClock
from tests.support.submissions import submission
from tests.support.work_notes import InMemoryWorkNotes, no_job

MATHEMATICAL = "".join(map(chr, range(0x1D7CE, 0x1D7D8)))
FULL_WIDTH = "\uff14\uff11"
CARD: Kind = "card"
BANK: Kind = "bank"
SECURITY: Kind = "social_security"


def _table(digits: str, text: str) -> str:
    return "".join(digits[int(char)] if char.isdigit() else char for char in text)


def _percent(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


# Each a kind and what was typed: [what is to go] in double brackets, all else is to stay.
VARIANTS: dict[str, tuple[Kind, str]] = {
    # the codes of the web
    "decimal entities": (CARD, "paid «&#52;&#49;&#49;&#49; 1111 1111 1111» at noon"),
    "hexadecimal entities": (CARD, "paid «&#x34;&#x31;&#X31;&#x31;-1111-1111-1111» at noon"),
    "entities with zeros before": (CARD, "paid «4111 1111 1111 111&#00000049;» at noon"),
    "entities without semicolon": (CARD, "paid «&#52&#49&#49&#49 1111 1111 111&#49» at noon"),
    "named separators": (CARD, "paid «4111&nbsp;1111&hyphen;1111&period;1111» at noon"),
    "entities of entities": (CARD, "paid «&amp;#52;111 1111 1111 1111» at noon"),
    "entities of entities of entities": (CARD, "paid «&amp;amp;#x34;111 1111 1111 1111» at noon"),
    "ampersand as a number": (CARD, "paid «&#38;#52;111 1111 1111 1111» at noon"),
    "percent": (CARD, f"paid «{_percent('4111111111111111')}» at noon"),
    "percent of percent": (CARD, "paid «%2534%2531%2531%2531 1111 1111 1111» at noon"),
    "percent four deep": (CARD, "paid «%25252534111 1111 1111 1111» at noon"),
    "percent of full width": (CARD, f"paid «{_percent(FULL_WIDTH)}11 1111 1111 1111» at noon"),
    "percent of an entity": (CARD, "paid «%26%2352%3B111 1111 1111 1111» at noon"),
    "escapes": (CARD, r"paid «\u0034\x31\u{31}1 1111 1111 1111» at noon"),
    "tags": (CARD, "paid «4111<br>1111<b></b>1111<span class='x'>1111» at noon"),
    "comments": (CARD, "paid «4111<!-- x -->1111 1111 1111» at noon"),
    # the digits of other scripts
    "mathematical digits": (CARD, f"paid «{_table(MATHEMATICAL, '4111|1111|1111|1111')}» at noon"),
    "superscripts": (CARD, f"paid «{_table('⁰¹²³⁴⁵⁶⁷⁸⁹', '4111/1111/1111/1111')}» at noon"),
    "circled digits": (CARD, f"paid «{_table('⓪①②③④⑤⑥⑦⑧⑨', '4111*1111*1111*1111')}» at noon"),
    "ideographs": (CARD, f"paid «{_table('〇一二三四五六七八九', '4111-1111-1111-1111')}» at noon"),
    "keycaps": (
        CARD,
        "paid «" + "".join(f"{c}\ufe0f\u20e3" for c in "411111111111111") + "1» at noon",
    ),
    "blank letters": (CARD, "paid «4\u31641\u31641\u31641\u3164 1111 1111 1111» at noon"),
    # what stands between
    "pipes": (CARD, "paid «4111|1111|1111|1111» at noon"),
    "asterisks": (CARD, "paid «4111**1111**1111**1111» at noon"),
    "underscores": (CARD, "paid «4111__1111__1111__1111» at noon"),
    "commas": (CARD, "paid «4111, 1111, 1111, 1111» at noon"),
    "four dashes": (CARD, "paid «4111----1111----1111----1111» at noon"),
    "four dots": (CARD, "paid «4111....1111....1111....1111» at noon"),
    "brackets": (CARD, "paid [«4111][1111][1111][1111»] at noon"),
    "lines with dashes": (CARD, "paid «4111\n-\n1111\n-\n1111\n-\n1111» at noon"),
    "emoji": (CARD, "paid «4111😀1111😀1111😀1111» at noon"),
    "each sign another": (CARD, "paid «4111|.1111/~1111=;1111» at noon"),
    "each digit alone": (CARD, "paid «4*1*1*1*1*1*1*1*1*1*1*1*1*1*1*1» at noon"),
    "odd groups": (CARD, "paid «41-111-1111111-11-11» at noon"),
    "dashes that are spoken": (CARD, "paid «4111 dash 1111 dash 1111 dash 1111» at noon"),
    # letters for digits
    "letter l": (CARD, "paid «4lll llll llll llll» at noon"),
    "letter I": (CARD, "paid «4III-IIII-IIII-IIII» at noon"),
    "letters S and O": (CARD, "paid «S1O51O51O51O51OO» at noon"),
    "letter of Cyrillic": (CARD, "paid «51\u041e51\u041e51\u041e51\u041e51\u041e\u041e» at noon"),
    # words
    "words": (CARD, "paid «four " + "one " * 14 + "one» at noon"),
    "words with commas": (CARD, "paid «four, " + "one, " * 14 + "one» at noon"),
    "doubled words": (
        CARD,
        "paid «four one double one triple one triple one triple one triple one» at noon",
    ),
    "words without spaces": (CARD, "paid «four" + "one" * 15 + "» at noon"),
    "words in Spanish": (CARD, "pagué «cuatro " + "uno " * 14 + "uno» al mediodía"),
    "words in Creole": (CARD, "mwen peye «kat " + "youn " * 14 + "youn» a midi"),
    "one word that tells": (CARD, "mwen peye «kat " + "en " * 14 + "en» a midi"),
    "one word that tells, with commas": (CARD, "mwen peye «kat, " + "en, " * 14 + "en» a midi"),
    "pairs in words": (CARD, "paid «forty-one eleven " + "eleven " * 5 + "eleven» at noon"),
    "words and digits": (CARD, "paid «4 one 1 one 1111 1111 one 1 1 one» at noon"),
    # banks
    "routing number with dots": (BANK, "refund to «0631.0027.7» please"),
    "routing number in groups": (BANK, "refund to «063-100-277» please"),
    "routing number on lines": (BANK, "refund to «063\n100\n277» please"),
    "routing number in words": (
        BANK,
        "refund to «zero six three one double zero two seven seven» please",
    ),
    "routing number in entities": (BANK, "refund to «&#48;63100277» please"),
    "routing number in letters": (BANK, "refund to «O631OO277» please"),
    "IBAN with slashes": (BANK, "refund to «DE89/3704/0044/0532/0130/00» please"),
    "IBAN in entities": (BANK, "refund to «&#68;E89 3704 0044 0532 0130 00» please"),
    "IBAN letter by letter": (
        BANK,
        "refund to «D.E.8.9.3.7.0.4.0.0.4.4.0.5.3.2.0.1.3.0.0.0» please",
    ),
    "account number in Spanish words": (
        BANK,
        "mi cuenta es «cuatro cinco seis siete ocho nueve uno dos» gracias",
    ),
    "account number in Creole": (BANK, "nimewo kont mwen se «4455|6677|88», mèsi"),
    # social security
    "social security in Spanish": (SECURITY, "mi seguro social es «219|09|9999», gracias"),
    "social security in Spanish words": (
        SECURITY,
        "mi seguro social es «dos uno nueve cero nueve nueve nueve nueve nueve», gracias",
    ),
    "social security in Creole": (SECURITY, "nimewo sekirite sosyal mwen se «219/09//9999», mèsi"),
    "social security in Creole words": (
        SECURITY,
        "sekirite sosyal mwen se «de youn nèf zewo nèf nèf nèf nèf nèf», mèsi",
    ),
    "social security in English words": (
        SECURITY,
        "my ssn is «two one nine oh nine nine nine nine nine», thanks",
    ),
    "social security in entities": (SECURITY, "«&#50;19-&#48;9-9999» is me"),
    "social security with repeated signs": (SECURITY, "it is «219--09--9999» here"),
    "social security in letters": (SECURITY, "my ssn is «2l9-O9-9999», thanks"),
    "social security on lines": (SECURITY, "my ssn: «219\n09\n9999»\nthanks"),
    # telephones
    "telephone in entities": ("telephone", "call «&#51;&#48;&#53;-555-0142» please"),
    "telephone in percent": ("telephone", "call «%33%30%35-555-0142» please"),
    "telephone with pipes": ("telephone", "it is «305|555|0142» here"),
    "telephone in English words": (
        "telephone",
        "call me at «three oh five five five five oh one four two» please",
    ),
    "telephone in Spanish": ("telephone", "llámame al «305,,555,,0142» por favor"),
    "telephone in Spanish words": (
        "telephone",
        "llámame al «tres cero cinco, cinco cinco cinco, cero uno cuatro dos» por favor",
    ),
    "telephone in Spanish pairs": (
        "telephone",
        "mi teléfono es «tres cero cinco, cincuenta y cinco, cincuenta, catorce, dos» gracias",
    ),
    "telephone in Creole": ("telephone", "nimewo telefòn mwen se «305[555]0142», mèsi"),
    "telephone in Creole words": (
        "telephone",
        "rele m nan «twa zewo senk senk senk senk zewo youn kat de», mèsi",
    ),
    "telephone in letters": ("telephone", "text me: «3O5-555-Ol42» please"),
    "telephone digit by digit": ("telephone", "call me at «3*0*5*5*5*5*0*1*4*2» please"),
    # e-mail
    "mail in entities": ("email", "write to «mlopez&#64;example&#46;com» please"),
    "mail in names of signs": ("email", "write to «mlopez&commat;example&period;com» please"),
    "mail in percent": ("email", "write to «mlopez%40example%2ecom» please"),
    "mail in percent of percent": ("email", "write to «mlopez%2540example%252ecom» please"),
    "mail with braces": ("email", "write to «mlopez {at} example {dot} com» please"),
    "mail with dashes": ("email", "write to «mlopez-at-example-dot-com» please"),
    "mail on lines": ("email", "write to «mlopez\n@\nexample.com» please"),
    "mail in Spanish with asterisks": (
        "email",
        "mi correo: «mlopez *arroba* example *punto* com» gracias",
    ),
    "mail in Creole with lines": ("email", "imel mwen: «mlopez\narobaz\nexample\npwen\ncom» mèsi"),
}
NUMBERS = {name: case for name, case in VARIANTS.items() if case[0] in (CARD, BANK, SECURITY)}


def _typed(text: str) -> str:
    return text.replace("«", "").replace("»", "")


def _wanted(kind: Kind, text: str) -> str:
    head, _, rest = text.partition("«")
    return head + MARKS[kind] + rest.partition("»")[2]


@pytest.mark.policy("P5")
@pytest.mark.parametrize(("kind", "text"), VARIANTS.values(), ids=VARIANTS.keys())
def test_what_travels_and_shows_has_nothing_of_it_and_all_else_as_typed(
    kind: Kind, text: str
) -> None:
    result = redact(_typed(text))
    assert result.text == _wanted(kind, text)
    assert result.kinds == {kind: 1}
    assert redact(result.text).text == result.text


@pytest.mark.policy("P5")
@pytest.mark.parametrize(("kind", "text"), NUMBERS.values(), ids=NUMBERS.keys())
def test_what_is_sealed_has_nothing_of_it(kind: Kind, text: str) -> None:
    typed, wanted = _typed(text), _wanted(kind, text)
    sent = Submission(
        jurisdiction_id="miamidade",
        service_code="CODE-JUNK",
        place=ev.Place(address=typed),
        description=typed,
        attributes={"WHERE": (typed,)},
        contact={"last_name": typed},
    )
    plain, place, masked = taken_in(sent)
    assert masked
    assert (plain["description"], plain["last_name"], place.address) == (wanted, wanted, wanted)
    assert json.loads(plain["attributes"]) == {"WHERE": [wanted]}


@pytest.mark.anyio
@pytest.mark.policy("P5")
@pytest.mark.parametrize(("kind", "text"), VARIANTS.values(), ids=VARIANTS.keys())
async def test_what_a_department_notes_is_public_without_it(kind: Kind, text: str) -> None:
    answers = Answers(
        load_rules().states,
        lambda given: redact(given).text,
        InMemoryWorkNotes(),
        no_job,
        SetClock(),
    )
    job = Job(record_id="r", version=1, status="routed", department="parks")
    said = ev.DepartmentUpdate(
        record_id="r",
        department="parks",
        status="in_progress",
        occurred_at=NOW,
        note=_typed(text),
        work_reference=_typed(text)[:100],
    )
    change = await answers.answered(job, Event(str(uuid4()), "/department", "r", NOW, said))
    assert change is not None
    (work,) = [each.data for each in change.events if isinstance(each.data, ev.WorkUpdated)]
    assert work.note == _wanted(kind, text)
    if len(_typed(text)) <= 100:
        assert work.work_reference == redact_reference(cleaned(_typed(text))).text


INNOCENT = {
    "date and time": "seen on 11/30/2026 at 4:15, again 2026-12-01 16:09:04",
    "span of dates": "4/15/2026 8:00 - 4/16/2026 17:00",
    "address with ZIP+4": "12010 NE 2nd Ave, Miami, FL 33161-4212",
    "row of houses": "4500, 4502, 4504, 4506 NW 7 St",
    "row of rooms": "rooms 101, 103, 105",
    "position": "25.774268, -80.193660",
    "permit": "permit 2026-01234567",
    "order": "order 5105-1051-0510-5109",
    "plate": "plate ABC D12",
    "prices": "$12.50, $30.00, $1,250.00",
    "dimensions": "4 x 4 x 8 ft",
    "folio": "folio 30-4021-001-0010",
    "words of numbers": "one or two of them, three at most",
    "words in Spanish": "uno de los dos, una o dos veces",
    "words in Creole": "de twa fwa, yon sèl moun",
    "percents": "50% to 60% of it",
    "an ampersand": "R&B at 5th & Main, A&P; &c",
    "at and dot": "meet us at noon, the dot on the map",
    "id of a request": "same as 0193bb05-8f33-7483-bfe4-440e60fc47fa",
    "site": "the form is available at www.miamidade.gov/311",
}


@pytest.mark.parametrize("text", INNOCENT.values(), ids=INNOCENT.keys())
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert redact(text).text == text
    assert redact_place(text).text == text
    assert mask_numbers(text) == (text, {})


# ------------------------------------------------------------------ in references

BY_CHANCE = {
    "odd groups",
    "routing number with dots",
    "routing number in groups",
    "routing number on lines",
    "routing number in words",
    "routing number in entities",
    "routing number in letters",
}
"""Of a reference these say nothing: no word announces them, and others' numbers look like that."""

TAKEN = {name: case for name, case in VARIANTS.items() if name not in BY_CHANCE}
PLAIN: dict[str, tuple[Kind, str]] = {
    "card alone": (CARD, "«4111111111111111»"),
    "card in groups": (CARD, "WO-2117, «5105-1051-0510-5100»"),
    "card of fifteen": (CARD, "«3782 822463 10005»"),
    "card announced, mistyped": (CARD, "paid by visa «4111 1111 1111 1112»"),
    "card announced in a case": (CARD, "case 26-1, credit card «4111111111111111»"),
    "code of a card": (CARD, "WO-2117 cvv «123»"),
    "social security": (SECURITY, "«219-09-9999»"),
    "social security as a case": (SECURITY, "case «219-09-9999»"),
    "social security announced": (SECURITY, "ssn «219099999»"),
    "social security after it": (SECURITY, "WO-2117 «219099999» ssn"),
    "routing number announced": (BANK, "aba «063100277»"),
    "account announced": (BANK, "refund to bank account «4455667788»"),
    "IBAN": (BANK, "«DE89370400440532013000»"),
    "telephone announced": ("telephone", "call «3055550142»"),
    "telephone announced, seven digits": ("telephone", "WO-2117 phone «555-0142»"),
    "telephone in its form": ("telephone", "WO-2117 «(305) 555-0142»"),
    "telephone with dashes": ("telephone", "«305-555-0142»"),
    "telephone with country": ("telephone", "«+1 305 555 0142»"),
    "e-mail": ("email", "mail of «mlopez@example.com»"),
    "name announced": ("name", "my name is «Maria Lopez»"),
    "home announced": ("home_address", "I live at «1200 NW 7 St»"),
}


@pytest.mark.policy("P5")
@pytest.mark.parametrize(("kind", "text"), [*TAKEN.values(), *PLAIN.values()], ids=[*TAKEN, *PLAIN])
def test_a_reference_is_no_place_for_it_either(kind: Kind, text: str) -> None:
    result = redact_reference(_typed(text))
    assert result.text == _wanted(kind, text)
    assert redact_reference(result.text).text == result.text


@pytest.mark.parametrize("name", sorted(BY_CHANCE))
def test_what_a_reference_has_by_chance_stays(name: str) -> None:
    text = _typed(VARIANTS[name][1])
    assert redact_reference(text).text == text


FORMS: dict[str, str] = {
    "uniform case number": "13-Y-CF-######-####-XX",
    "uniform case number, named": "Case 13-Y-MM-######-0001-XX",
    "uniform case number, a defendant": "13-Y-CF-######-####-A0",
    "uniform case number without dashes": "13YCF######0001XX",
    "local case number": "Y-######-CA-##",
    "appeal": "Case No. Y-CA-######-####",
    "federal case": "1:##-cv-#####-ABC",
    "file": "File Y-#######",
    "invoice": "INV-#########",
    "invoice of ten": "Invoice ##########",
    "invoice of sixteen": "Invoice ################",
    "invoice of the year": "invoice no. Y########",
    "nine bare digits": "#########",
    "ten bare digits": "##########",
    "twelve bare digits": "############",
    "work order": "WO #########",
    "work order without space": "WO#########",
    "work order of ten": "WO-##########",
    "work order of the year": "WO Y-####-#####",
    "work orders": "WO #########, ######### and #########",
    "purchase order": "PO #########",
    "work order of Transit": "Transit WO #########",
    "work order of Social Services": "Social Services WO #########",
    "work order of the Contact Center": "Contact Center, call WO ##########",
    "folio": "30-####-###-####",
    "folio, named": "Folio 30-####-###-####",
    "folio without dashes": "30###########",
    "police": "PDY######-######",
    "permit": "Permit Y######",
    "agenda": "AG-Y-####-####-####",
    "service request": "311-26-########",
    "incident within a number": "26-###-###-####",
    "account of the water department": "water account #########",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_numbers_of_cases_invoices_and_work_stay_whatever_their_digits(form: str) -> None:
    random = Random(form)
    for _ in range(300):
        text = "".join(
            random.choice("0123456789") if char == "#" else char
            for char in form.replace("Y", str(random.randint(2015, 2027)))
        )
        assert redact_reference(text, of_people=True).text == text


# ------------------------------------------------------------------ live

HIDDEN = {
    "pipes": "4111|1111|1111|1111",
    "entities": "&#53;&#49;&#48;5105105105100",
    "words": "cuatro " + "uno " * 14 + "uno",
    "percent": "%34%31%31%31%31%31%31%31%31%31%31%31%31%31%31%31",
    "letters": "4lll-llll-llll-llll",
}
SAID = (
    "mi seguro social es 219|09|9999; rele m nan twa zewo senk senk senk senk zewo youn kat de;"
    " write to mlopez&commat;example&period;com"
)
PARTS = (*HIDDEN.values(), "219|09|9999", "twa zewo senk", "mlopez")
NOTE = "Done. Questions: three oh five, five five five, oh one four two, or 4111/1111/1111/1111."


@pytest.mark.e2e
@pytest.mark.policy("P5")
@pytest.mark.anyio
async def test_nothing_of_it_is_public_in_events_on_a_departments_topic_or_sealed(
    county: County,
) -> None:
    text = "It barks. " + ". ".join(HIDDEN.values()) + ". " + SAID
    record_id = await county.accepted(submission(560, description=text))
    await county.routed(record_id)
    await county.caught_up()
    seen = [json.dumps(await county.request(record_id))]
    seen += [
        json.dumps(each, ensure_ascii=False)
        for each in await county.received("animal_services", record_id)
    ]
    assert len(seen) > 1
    events = await county.messages("request.created", "request.updated", "request.routed")
    assert any(message.key == record_id.encode() for message in events)
    seen += [
        (message.value or b"").decode() for message in events if message.key == record_id.encode()
    ]
    for each in seen:
        assert "It barks" in each or "description" in each or "department" in each
        for part in PARTS:
            assert part not in each
    opened = await county.read_contact(
        record_id, "agent", "olga", fields=["description"], reference="CALL-560"
    )
    assert opened.status_code == 200, opened.text
    sealed = opened.json()["fields"]["description"]
    assert sealed.startswith("It barks.")
    for hidden in (*HIDDEN.values(), "219|09|9999"):
        assert hidden not in sealed
    assert "mlopez&commat;example&period;com" in sealed


@pytest.mark.e2e
@pytest.mark.policy("P5")
@pytest.mark.anyio
async def test_a_departments_note_shows_in_public_without_it(county: County) -> None:
    record_id = await county.accepted(submission(561))
    await county.routed(record_id)
    said = await county.department("animal_services", "answer", record_id, "fixed", "--note", NOTE)
    assert said.code == 0, said.errors

    async def closed() -> Document | None:
        shown = await county.request(record_id)
        return shown if shown["status"] == "closed" else None

    shown: dict[str, Any] = await until(closed, "the answer shows in public")
    assert shown["status_notes"] == "Closed: fixed. Done. Questions: [telephone], or [card number]."
    await county.caught_up()
    for message in await county.messages("work.updated"):
        if message.key == record_id.encode():
            words = (message.value or b"").decode()
            assert "five five" not in words
            assert "4111/" not in words
