"""Word lists of redaction are read strictly: a word that is lost is a name that slips through."""

from pathlib import Path

import pytest

from direct311.redaction.datafile import Data, DataFileError, Words, load
from direct311.redaction.fold import fold
from direct311.redaction.words import COMMON, GIVEN_NAMES


class Lists(Data):
    greetings: Words
    signs: Words = frozenset()


def written(folder: Path, text: str) -> Path:
    path = folder / "lists.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_list_is_the_words_of_a_text(tmp_path: Path) -> None:
    path = written(tmp_path, "greetings: >-\n  hello no\n  on ya\n")
    assert load(Lists, path).greetings == {"hello", "no", "on", "ya"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("greetings: on\n", "lists.yaml: greetings"),
        ("greetings: hi\ngreetings: ho\n", "the same key twice"),
        ("greetings: hi\ngretings: ho\n", "lists.yaml: gretings"),
        ("greetings: {\n", "lists.yaml"),
    ],
    ids=["a truth value", "a list twice", "an unknown list", "no YAML"],
)
def test_what_would_lose_words_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataFileError, match=said):
        load(Lists, written(tmp_path, text))


def test_a_shadow_can_have_every_word() -> None:
    """A word with a capital or an accent would never be met."""
    assert [word for word in COMMON | GIVEN_NAMES if fold(word).shadow != word] == []
