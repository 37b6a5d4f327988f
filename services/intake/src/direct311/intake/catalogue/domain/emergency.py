"""Words that suggest danger to somebody's life, in three languages, and what to say then."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from direct311.intake.language import LANGUAGES, Language
from direct311.schemas import Model
from direct311.schemas.unicode import normalized

_FORM = re.compile(r"[a-z0-9|() ?*'-]+(?: \.\.\. [a-z0-9|() ?*'-]+)*")
_WORD = re.compile(r"[a-z0-9]+")
_START = 2
"""How many letters of a first word are used to find forms; of a shorter word, all."""
_GAP = r"(?: [a-z0-9]+){0,4} "
"""Up to four words between two parts of a form."""


class Danger(Model, extra="forbid"):
    """One kind of danger and the forms that announce it.

    A form is words as `plain` returns them; `a|b` in parentheses is a choice, `*` at the end of a
    word is any ending, and ` ... ` is up to four words between.
    """

    danger: str
    forms: Mapping[Language, tuple[str, ...]]


class Emergencies(Model, extra="forbid"):
    """The rules. `guidance` tells the resident to call 911, in each language. `harmless`: forms
    that are removed from the text first, such as 'fire hydrant', so that they are not mistaken for
    danger."""

    emergencies: str
    version: str
    guidance: Mapping[Language, str]
    harmless: tuple[str, ...]
    dangers: tuple[Danger, ...]

    @cached_property
    def _harmless(self) -> re.Pattern[str]:
        return re.compile(rf"\b(?:{'|'.join(map(_pattern, self.harmless))})\b")

    @cached_property
    def _dangers(self) -> Mapping[str, re.Pattern[str]]:
        """All forms by the beginning of their first word. Every submission is checked, and this way
        each word is compared with a few forms instead of all."""
        forms: dict[str, list[str]] = {}
        for each in self.dangers:
            for form in (form for group in each.forms.values() for form in group):
                for start in {word[:_START].rstrip("*") for word in first_words(form)}:
                    forms.setdefault(start, []).append(_pattern(form))
        return {start: re.compile(rf"(?:{'|'.join(found)})\b") for start, found in forms.items()}

    def suspected(self, *texts: str) -> bool:
        """Whether any of these texts suggests danger to somebody's life."""
        for words in map(plain, filter(None, texts)):
            if self._in(words) and self._in(self._harmless.sub(",", words)):
                return True
        return False

    def _in(self, words: str) -> bool:
        dangers = self._dangers
        for word in _WORD.finditer(words):
            forms = dangers.get(word[0][:_START])
            if forms is not None and forms.match(words, word.start()):
                return True
        return False


def plain(text: str) -> str:
    """The words of a text in lowercase ASCII letters, separated by one space, without accents and
    signs."""
    small = text.casefold()
    if not small.isascii():
        letters = normalized("NFKD", small)
        small = "".join(c for c in letters if not unicodedata.combining(c))
    small = small.replace("'", "").replace("\u2019", "")
    return " ".join(_WORD.findall(small))


def problems(rules: Emergencies) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the rules: entry, field and reason."""
    for language in LANGUAGES:
        if not rules.guidance.get(language, "").strip():
            yield "", f"guidance.{language}", "is missing"
        elif "911" not in rules.guidance[language]:
            yield "", f"guidance.{language}", "must say 911"
    yield from (("harmless", form, why) for form, why in _wrong(rules.harmless))
    for each in rules.dangers:
        for language in LANGUAGES:
            forms = each.forms.get(language, ())
            if not forms:
                yield each.danger, f"forms.{language}", "is missing"
            yield from ((each.danger, form, why) for form, why in _wrong(forms))


def _wrong(forms: Iterable[str]) -> Iterator[tuple[str, str]]:
    for form in forms:
        if not _FORM.fullmatch(form):
            yield form, "may have lowercase letters, digits, parentheses, | ? * and ..."
            continue
        try:
            re.compile(_pattern(form))
        except re.error:
            yield form, "its parentheses do not match"
            continue
        if any("*" in word[:_START] for word in first_words(form)):
            yield form, "its first word needs two letters before the *"


def first_words(form: str) -> set[str]:
    """The words that a form can begin with."""
    if not form.startswith("("):
        return {form.split()[0]}
    return {choice.split()[0] for choice in form[1 : form.index(")")].split("|")}


def _pattern(form: str) -> str:
    words = form.replace("(", "(?:").replace("*", "[a-z]*")
    return words.replace(" ... ", _GAP)
