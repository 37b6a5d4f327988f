"""Spellings of municipalities."""

from pathlib import Path

import pytest

from direct311.geo.addresses.adapters import data_files
from direct311.geo.addresses.domain.municipalities import Gazette
from direct311.runtime.datafile import DataFileError
from tests.unit.geo.conftest import Rows


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("CIty_of_Sunny_Isles_Beach", "Sunny Isles Beach"),
        ("Miami_Dade_County", "Unincorporated Miami-Dade"),
        ("Geo_UNINCORPORATED_MIAMI_DADE", "Unincorporated Miami-Dade"),
        ("UNINCORPORATED MIAMI-DADE", "Unincorporated Miami-Dade"),
        ("City_of_Palmetto_Bay", "Palmetto Bay"),
        ("Village_of_Palmetto_Bay", "Palmetto Bay"),
        ("Miami_Shores_Village", "Miami Shores"),
        ("Bal_Harbour_Village", "Bal Harbour"),
        ("North_Bay_Village", "North Bay Village"),
        ("City_of_Florida_City", "Florida City"),
        ("City_of_Opa-Locka", "Opa-locka"),
        ("Geo_MIAMI", "Miami"),
        ("  city of miami  ", "Miami"),
        ("N. MIAMI BEACH", "North Miami Beach"),
    ],
)
def test_the_countys_spellings_are_known(spelling: str, name: str, gazette: Gazette) -> None:
    assert gazette.canonical(spelling) == name


@pytest.mark.parametrize("spelling", [None, "", "   ", "Orlando", "City of", "x" * 10_000])
def test_what_is_no_municipality_is_not_guessed(spelling: str | None, gazette: Gazette) -> None:
    assert gazette.canonical(spelling) is None


def test_a_spelling_with_two_meanings_is_refused_by_name(tmp_path: Path) -> None:
    packaged = Path(data_files.__file__).parents[2] / "data" / "aliases.yaml"
    text = packaged.read_text(encoding="utf-8")
    changed = tmp_path / "aliases.yaml"
    changed.write_text(text.replace("aliases: [Opalocka]", "aliases: [Doral]"), encoding="utf-8")
    with pytest.raises(DataFileError, match=r"Opa-locka: aliases: 'Doral' also means Doral"):
        data_files.gazette(changed)


def test_every_label_of_the_published_rows_is_known(gazette: Gazette, rows: Rows) -> None:
    labels = {row["city"] for row in rows("requests/miami_dade_311_2013_2018.csv")} - {""}
    labels |= {
        row["city"] for row in rows("addresses/miami_dade_address_gazetteer_from_311.csv")
    } - {""}
    assert len(labels) > 30
    assert {label for label in labels if gazette.canonical(label) is None} == set()
