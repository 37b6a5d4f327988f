"""Address lines: one form for many spellings, and nothing of what is no address."""

import pytest
import usaddress
from hypothesis import given
from hypothesis import strategies as st

from direct311.geo.addresses.adapters import data_files
from direct311.geo.addresses.domain.lines import AddressReader, ordinal_ending
from tests.unit.geo.conftest import Rows

READER = data_files.address_reader()


@pytest.mark.parametrize(
    "text",
    [
        "9967 SW 153RD ST",
        "9967 sw 153 st",
        "9967 S.W. 153rd Street",
        "9967 S W 153rd St.",
        "9967 Southwest 153 Street",
        "9967 South West 153rd Street",
        "9967SW 153 ST",
        "9967 SW153 ST",
        "9967 SW 153st",
        "9967 SW 153RDST",
        "  9967   SW   153rd   Stret ",
        "9967 SW 153RD ST (APPROX)",
        "9967 SW 153RD ST, Miami, FL 33157-1234",
        "9967 SW 153 St Apt 2, Palmetto Bay Florida 33157 USA",
        "9967 SW 153RD ST #12B MIAMI FL",
        "9967 SW 153RD ST\nMIAMI, Florida 33157\n(25.627493, -80.355626)",
        "9967 SW 153RD ST, ask for the manager",
    ],
)
def test_spellings_of_one_address_have_one_form(text: str, reader: AddressReader) -> None:
    assert reader.normalise(text).canonical == "9967 SW 153RD ST"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1025 se miami ave", "1025 SE MIAMI AVE"),
        ("1860 West Flagler STreet", "1860 W FLAGLER ST"),
        ("20700 NW 41st Avenue Rd", "20700 NW 41ST AVENUE RD"),
        ("12001 SW 110 STREET CIR E", "12001 SW 110TH STREET CIR E"),
        ("12309 SW 111TH S CANAL STREET RD", "12309 SW 111TH S CANAL STREET RD"),
        ("1790 79TH ST CSWY", "1790 79TH STREET CSWY"),
        ("14830 MIAMI LAKEWAY S", "14830 MIAMI LAKEWAY S"),
        ("3501 rickenbacker cwsy", "3501 RICKENBACKER CSWY"),
        ("501Marlins Way", "501 MARLINS WAY"),
        ("13800  US 1", "13800 US 1"),
        ("13800 US Highway 1", "13800 US 1"),
        ("6960 RUE VENDOME", "6960 RUE VENDOME"),
        ("1336 sw 8st", "1336 SW 8TH ST"),
        ("200NW2 AVE", "200 NW 2ND AVE"),
        ("123A Grand Ave", "123A GRAND AVE"),
        ("2270 NE 202ND ST Miami Gardens FL 33179", "2270 NE 202ND ST"),
        ("NW 103RD ST & NW 6TH AVE", "NW 103RD ST & NW 6TH AVE"),
        ("NW 6 Ave and NW 103 St", "NW 103RD ST & NW 6TH AVE"),
        ("SW 92 ST AND 101 AVE", "SW 101ST AVE & SW 92ND ST"),
        ("17sw   av and 8 st", "SW 17TH AVE & SW 8TH ST"),
        ("CORAL WAY @ SW 37 AVENUE", "CORAL WAY & SW 37TH AVE"),
    ],
)
def test_real_forms_are_read(text: str, canonical: str, reader: AddressReader) -> None:
    assert reader.normalise(text).canonical == canonical


@pytest.mark.parametrize(
    "text",
    ["John Smith", "MARIA ELENA GONZALEZ-PEREZ", "Maria 305-555-0134", "12 John Smith", "44",
     "000 SW 000 Street", "john@example.org", "próxima a la casa azul", "日本",
     "100 MAIN ST # JOHN", "John Smith & Maria Perez"],
)  # fmt: skip
def test_a_name_in_the_address_field_is_no_address_and_is_not_repeated(
    text: str, reader: AddressReader
) -> None:
    found = reader.normalise(text)
    assert (found.kind, found.reason) == ("none", "not an address")
    assert found.model_dump(exclude_none=True) == {
        "kind": "none",
        "canonical": "",
        "confidence": 0.0,
        "reason": "not an address",
    }


def test_parts_are_told_apart(reader: AddressReader) -> None:
    found = reader.normalise("111 NW 1st St Suite 2910, Miami Beach FL 33139-0000")
    assert found.number == 111
    assert found.street is not None
    assert (found.street.predirectional, found.street.number, found.street.kind) == ("NW", 1, "ST")
    assert (found.unit, found.city, found.zip_code) == ("STE 2910", "Miami Beach", "33139")
    assert found.confidence == 1.0


def test_a_city_or_zip_code_alone_is_an_area(reader: AddressReader) -> None:
    assert reader.normalise("33147").zip_code == "33147"
    assert reader.normalise("City of Miami Gardens, FL").city == "Miami Gardens"
    assert reader.normalise("Coral Gables").kind == "area"


def test_an_empty_or_endless_line_is_refused(reader: AddressReader) -> None:
    assert reader.normalise(None).reason == "address is empty"
    assert reader.normalise(" \t\n").reason == "address is empty"
    assert reader.normalise("1 NW 1ST ST " * 100).reason == "address is too long"


@given(st.text(max_size=400))
def test_no_text_makes_the_reader_raise(text: str) -> None:
    found = READER.normalise(text)
    assert (found.canonical == "") == (found.kind in ("none", "area"))


@given(
    st.integers(1, 99_999),
    st.sampled_from(["NE", "NW", "SE", "SW", "n", "South", "e", "WEST"]),
    st.integers(1, 424),
    st.sampled_from(["st", "AVENUE", "Ct", "TERR", "place", "LN", "av", "Avenue Rd", "ST CIR"]),
    st.booleans(),
)
def test_the_form_of_a_form_is_itself(
    number: int, direction: str, street: int, suffix: str, ordinal: bool
) -> None:
    ending = ordinal_ending(street) if ordinal else ""
    found = READER.normalise(f"{number} {direction} {street}{ending} {suffix}")
    assert found.kind == "address"
    assert found.street is not None
    assert (found.number, found.street.number) == (number, street)
    assert READER.normalise(found.canonical) == found


def test_nearly_all_published_addresses_are_read(reader: AddressReader, rows: Rows) -> None:
    lines = {row["full_address"] for row in rows("addresses/miami_dade_sr_addresses_2016.csv")}
    lines |= {
        row["street_address"] for row in rows("addresses/miami_dade_address_gazetteer_from_311.csv")
    }
    unread = [line for line in lines if not reader.normalise(line).canonical]
    assert len(unread) / len(lines) < 0.001


def test_the_rules_agree_with_a_statistical_parser(reader: AddressReader, rows: Rows) -> None:
    """usaddress is trained on other addresses by other people; where it sees a house number and a
    direction before the street, so must the rules."""
    lines = [
        row["street_address"]
        for row in rows("addresses/miami_dade_address_gazetteer_from_311.csv")[:1500]
    ]
    compared = agreed = 0
    for line in lines:
        try:
            tags, kind = usaddress.tag(line)
        except usaddress.RepeatedLabelError:
            continue
        found = reader.normalise(line)
        if kind != "Street Address" or found.kind != "address" or found.street is None:
            continue
        compared += 1
        agreed += (tags.get("AddressNumber"), tags.get("StreetNamePreDirectional")) == (
            str(found.number),
            found.street.predirectional,
        )
    assert compared > 1300
    assert agreed / compared > 0.99
