"""The catalogue in three languages: complete, the same but for words, refused where it is not."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from direct311.intake.catalogue.adapters import TRANSLATIONS, load_catalogues
from direct311.intake.catalogue.domain import wording
from direct311.intake.catalogue.domain.types import Catalogue
from direct311.intake.language import LANGUAGES, Language
from direct311.runtime.datafile import DataFileError, packaged
from direct311.schemas.events import RequestStatus
from tests.support.data_files import changed, entry

CATALOGUES = load_catalogues()
ENGLISH = CATALOGUES["en"]
DAY = ENGLISH.effective_from

Change = Callable[[dict[str, Any]], None]


def refused(folder: Path, language: Language, change: Change) -> list[tuple[str, str]]:
    """Code and field of what a changed translation is refused for."""
    for name in ("catalogue.yaml", "catalogue.es.yaml", "catalogue.ht.yaml"):
        shutil.copyfile(str(packaged("direct311.intake", name)), folder / name)
    changed(packaged("direct311.intake", f"catalogue.{language}.yaml"), folder, change)
    with pytest.raises(DataFileError) as error:
        load_catalogues(folder / "catalogue.yaml")
    assert error.value.name == f"catalogue.{language}.yaml"
    return [each[:2] for each in error.value.problems]


def test_every_language_has_every_type() -> None:
    assert set(CATALOGUES) == set(LANGUAGES)
    codes = [each.service_code for each in ENGLISH.services]
    for catalogue in CATALOGUES.values():
        assert [each.service_code for each in catalogue.services] == codes


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_words_differ_and_nothing_else_does(language: Language) -> None:
    for english in ENGLISH.services:
        other = CATALOGUES[language].by_code(english.service_code)
        assert other is not None
        assert other.service_name != english.service_name
        assert other.description != english.description
        words = {"service_name", "description", "group", "keywords", "attributes"}
        assert other.model_dump(exclude=words) == english.model_dump(exclude=words)
        for mine, theirs in zip(english.attributes, other.attributes, strict=True):
            said = {"description", "datatype_description", "values"}
            assert theirs.model_dump(exclude=said) == mine.model_dump(exclude=said)
            assert [each.key for each in theirs.values] == [each.key for each in mine.values]
            assert theirs.description != mine.description
            assert bool(theirs.datatype_description) == bool(mine.datatype_description)


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_are_told_apart_and_descriptions_are_sentences(language: Language) -> None:
    services = CATALOGUES[language].services
    names = [each.service_name for each in services]
    assert len(set(names)) == len(names)
    for each in services:
        assert each.description.endswith(".")
        assert each.service_name[0].isupper()
        assert all(word == word.strip() and word for word in each.keywords)
    assert len({each.group for each in services}) == len({e.group for e in ENGLISH.services})


def test_a_question_that_was_looked_up_in_english_is_still_translated() -> None:
    # What one catalogue has remembered of itself must not come along into another.
    for service in ENGLISH.services:
        assert service.questions.keys() <= {each.code for each in service.attributes}
    again = load_catalogues()
    pothole = again["es"].by_code("ROAD-POTHOLE")
    assert pothole is not None
    assert pothole.service_name == "Bache"
    assert pothole.questions["SIZE"].description == "¿De qué tamaño es el hoyo?"


def _drop(code: str, field: str) -> Change:
    def change(tree: dict[str, Any]) -> None:
        entry(tree, "services", "service_code", code)[field] = ""

    return change


@pytest.mark.parametrize("language", TRANSLATIONS)
@pytest.mark.parametrize("field", ["service_name", "description"])
def test_a_missing_word_is_a_problem_that_names_code_and_field(
    tmp_path: Path, language: Language, field: str
) -> None:
    assert refused(tmp_path, language, _drop("ROAD-CURB", field)) == [("ROAD-CURB", field)]


def test_a_missing_type_lacks_name_and_description(tmp_path: Path) -> None:
    def change(tree: dict[str, Any]) -> None:
        tree["services"] = [e for e in tree["services"] if e["service_code"] != "ROAD-CURB"]

    found = refused(tmp_path, "es", change)
    assert found == [("ROAD-CURB", "service_name"), ("ROAD-CURB", "description")]


def test_missing_words_of_a_question_are_named(tmp_path: Path) -> None:
    def change(tree: dict[str, Any]) -> None:
        size, depth = entry(tree, "services", "service_code", "ROAD-POTHOLE")["attributes"]
        del size["values"]["tire"]
        depth["datatype_description"] = " "
        tree["shared_attributes"] = [
            each for each in tree["shared_attributes"] if each["code"] != "TAG_NUMBER"
        ]
        del tree["groups"]["Animals"]

    assert set(refused(tmp_path, "ht", change)) == {
        ("ROAD-POTHOLE", "attributes[SIZE].values[tire]"),
        ("ROAD-POTHOLE", "attributes[DEPTH_INCHES].datatype_description"),
        ("ANI-PET-ACCOUNT", "attributes[TAG_NUMBER].description"),
        ("ANI-LOST-PET", "attributes[TAG_NUMBER].description"),
        ("", "groups[Animals]"),
    }


def test_words_of_what_is_not_there_are_refused(tmp_path: Path) -> None:
    def change(tree: dict[str, Any]) -> None:
        pothole = entry(tree, "services", "service_code", "ROAD-POTHOLE")
        pothole["attributes"].append({"code": "COLOUR", "description": "¿De qué color?"})
        pothole["attributes"][0]["values"]["huge"] = "Enorme"
        tree["services"].append({**pothole, "service_code": "FLYING-SAUCER", "attributes": []})
        tree["groups"]["Saucers"] = "Platillos"
        tree["version"] = "2025.9"

    assert set(refused(tmp_path, "es", change)) == {
        ("ROAD-POTHOLE", "attributes[COLOUR]"),
        ("ROAD-POTHOLE", "attributes[SIZE].values[huge]"),
        ("FLYING-SAUCER", "service_code"),
        ("", "groups[Saucers]"),
        ("", "version"),
    }


def test_a_file_of_another_language_is_refused(tmp_path: Path) -> None:
    def change(tree: dict[str, Any]) -> None:
        tree["language"] = "ht"

    assert refused(tmp_path, "es", change) == [("", "language")]


def test_a_countys_own_catalogue_brings_its_own_words(tmp_path: Path) -> None:
    for name in ("catalogue.yaml", "catalogue.es.yaml", "catalogue.ht.yaml"):
        own = name.replace("catalogue", "county")
        shutil.copyfile(str(packaged("direct311.intake", name)), tmp_path / own)
    assert load_catalogues(tmp_path / "county.yaml")["ht"] == CATALOGUES["ht"]
    (tmp_path / "county.ht.yaml").unlink()
    with pytest.raises(DataFileError, match=r"county\.ht\.yaml: cannot be read"):
        load_catalogues(tmp_path / "county.yaml")


def test_headers_say_that_no_native_speaker_has_read_them() -> None:
    for language in TRANSLATIONS:
        text = packaged("direct311.intake", f"catalogue.{language}.yaml").read_text("utf-8")
        head = " ".join(text.partition("\nlanguage:")[0].replace("#", " ").split())
        assert "not been reviewed by a native speaker" in head
        assert "translations_reviewed: false" in text


def test_every_notice_and_status_is_said_in_every_language() -> None:
    notices = (
        wording.IDENTITY_REQUIRED,
        wording.NUMBERS_REMOVED,
        wording.POLICY_APPLIES,
        wording.EMAIL_NOTICE,
        wording.CONSENT_NEEDED,
        wording.BATCH,
        wording.BLACKBOX,
    )
    for notice in notices:
        assert set(notice) == set(LANGUAGES)
        assert len(set(notice.values())) == len(LANGUAGES)
    for language in LANGUAGES:
        assert set(wording.STATUSES[language]) == set(get_args(RequestStatus))
        assert "{version}" in wording.POLICY_APPLIES[language]


def _said(catalogue: Catalogue, language: Language, code: str, question: str) -> str:
    service = catalogue.by_code(code)
    assert service is not None
    return wording.condition(service, service.questions[question], language)


def test_a_condition_is_said_in_the_words_of_the_language() -> None:
    said = {
        language: _said(catalogue, language, "LIGHT-STREET", "BARE_WIRES")
        for language, catalogue in CATALOGUES.items()
    }
    assert said["en"] == (
        "Only if the answer to “What is wrong with the light?” is “It is damaged or leaning”. "
        "It must then be answered."
    )
    assert "Está dañada o inclinada" in said["es"]
    assert "Li andomaje oswa li panche" in said["ht"]
    assert _said(ENGLISH, "en", "LIGHT-STREET", "PROBLEM") == ""
    optional = _said(ENGLISH, "en", "DRAIN-CLOGGED", "WATER_INCHES")
    assert optional == "Only if the answer to “Is water standing on the street?” is “Yes”."
