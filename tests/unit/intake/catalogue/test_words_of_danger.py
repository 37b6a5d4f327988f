"""What is taken for danger to somebody's life, in three languages, and what is not."""

from pathlib import Path

import pytest
import yaml

from direct311.intake.catalogue.adapters import load_emergencies
from direct311.intake.catalogue.domain.emergency import first_words
from direct311.intake.clients.domain.app_facts import AppFacts
from direct311.intake.reporter.adapters.messages import load_messages
from direct311.runtime.datafile import DataFileError, packaged

RULES = load_emergencies().content

DANGER = (
    "There is a FIRE in the building",
    "I smell gas near the corner",
    "He is not breathing!",
    "He isn\u2019t breathing",
    "live wire down on the street",
    "the power line fell across the road",
    "a car is in the canal",
    "a baby is locked in a hot car",
    "they are shooting at people",
    "my neighbor has a gun",
    "Hay un incendio en la casa",
    "huele mucho a gas",
    "No respira",
    "cables eléctricos caídos en la calle",
    "niño encerrado en un carro",
    "una balacera en la esquina",
    "Gen dife nan kay la",
    "Li pa ka respire",
    "fil elektrik la tonbe",
    "yon timoun fèmen nan machin nan",
    "kout zam nan katye a",
    "The house next to the fire hydrant is on fire",
)
CALM = (
    "",
    "The fire hydrant leaks",
    "fire ants in the park",
    "the gas station has no lights",
    "Pothole on the road",
    "a dog barks all night",
    "wires for cable TV are ugly",
    "a limb is down on the sidewalk",
    "The street is flooded when it rains",
    "the traffic signal is dark",
    "abandoned car in the swale",
    "kids shooting hoops after ten",
    "perro suelto en el parque",
    "fuegos artificiales toda la noche",
    "mi vecino tira basura",
    "chen ap mache lari a",
)


@pytest.mark.parametrize("text", DANGER)
def test_danger_is_heard(text: str) -> None:
    assert RULES.suspected("nothing here", text)


@pytest.mark.parametrize("text", CALM)
def test_everyday_complaints_are_no_danger(text: str) -> None:
    assert not RULES.suspected(text)


def test_the_guidance_says_911_in_each_language() -> None:
    assert set(RULES.guidance) == {"en", "es", "ht"}
    assert all("911" in text for text in RULES.guidance.values())


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("fire", {"fire"}),
        ("(is|up in) flames", {"is", "up"}),
        ("incendi*", {"incendi*"}),
        ("(fil|kab) ... tonbe", {"fil", "kab"}),
    ],
)
def test_a_form_is_found_by_its_first_words(form: str, words: set[str]) -> None:
    assert first_words(form) == words


def _file(tmp_path: Path, name: str, **changes: object) -> Path:
    tree = yaml.safe_load(packaged("direct311.intake", name).read_text())
    path = tmp_path / name
    path.write_text(yaml.safe_dump(tree | changes))
    return path


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"guidance": {"en": "Call 911", "es": "911"}}, "guidance.ht"),
        ({"guidance": {"en": "Call us", "es": "911", "ht": "911"}}, "guidance.en"),
        ({"harmless": ["Fire!"]}, "Fire!"),
        ({"harmless": ["(fire"]}, "(fire"),
        (
            {"dangers": [{"danger": "fire", "forms": {"en": ["f*"], "es": ["a"], "ht": ["a"]}}]},
            "f*",
        ),
        ({"dangers": [{"danger": "fire", "forms": {"en": ["fire"], "es": ["fuego"]}}]}, "forms.ht"),
    ],
)
def test_rules_that_cannot_work_are_refused(
    tmp_path: Path, changes: dict[str, object], field: str
) -> None:
    with pytest.raises(DataFileError) as caught:
        load_emergencies(_file(tmp_path, "emergencies.yaml", **changes))
    assert field in [problem[1] for problem in caught.value.problems]


def test_a_message_has_no_place_for_anything_personal(tmp_path: Path) -> None:
    texts = load_messages().content
    text = texts.of_status("en", "https://311.example/r-1")
    assert "https://311.example/r-1" in text.body
    assert "$" not in text.body + texts.of_code("ht", "12345678", 10).body
    wrong = {"en": {"subject": "Hello $name", "body": "$link $description"}}
    with pytest.raises(DataFileError) as caught:
        load_messages(_file(tmp_path, "messages.yaml", status=wrong))
    found = {problem[1] for problem in caught.value.problems}
    assert found == {"en.subject", "en.body", "es", "ht"}


@pytest.mark.parametrize(
    ("field", "value", "good"),
    [
        ("device", "Phone", True),
        ("device", "Zora's phone", False),
        ("operating_system", "Android 14", True),
        ("operating_system", "android 14.0.1", True),
        ("operating_system", "android 14 build TQ3A.230901.001", False),
        ("browser", "firefox 131", True),
        ("browser", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/131.0", False),
        ("app_version", "2.10.1", True),
        ("app_version", "2.10.1-a5f83b", False),
        ("app_version", "355", True),
        ("app_version", "3555", False),
    ],
)
@pytest.mark.policy("P6")
def test_only_kinds_and_versions_are_taken_of_a_device(
    field: str, value: str, *, good: bool
) -> None:
    problems = AppFacts.model_validate({field: value}).problems()
    assert (problems == []) is good
    assert value not in repr(problems)


def test_nothing_is_said_of_what_was_not_given() -> None:
    assert AppFacts(device=" ").given() == {}
