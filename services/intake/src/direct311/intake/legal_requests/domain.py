"""A legal process that somebody sends, and the words of the form."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from string import Template

from direct311.intake.language import LANGUAGES, Language
from direct311.schemas import Model
from direct311.schemas.model import Code


@dataclass(frozen=True, slots=True)
class LegalRequest:
    """`key`: random, so that a repeat opens no second case. `instrument`: as the sender calls it, a
    code of the form. `text`: which records are asked for. `officer`: who sends it, as they say.
    `document`: the instrument in base64. All of it is passed on to the case desk and kept nowhere
    here, so nothing of it is in the representation of this object."""

    key: str
    instrument: str
    text: str
    officer: Mapping[str, str]
    document: str

    def __repr__(self) -> str:
        return "LegalRequest(…)"


@dataclass(frozen=True, slots=True)
class LegalReceipt:
    """`repeated`: it was received before."""

    number: str
    received_at: datetime
    repeated: bool


class FormWords(Model, extra="forbid"):
    """What somebody reads who fills in the form, in one language. `received` may have `$receipt`.
    `instruments`: the words for each kind of instrument."""

    about: str
    emergency: str
    received: str
    instruments: Mapping[Code, str]


class LegalForm(Model, extra="forbid"):
    """All words; see `data/legal_requests.yaml`. They have no place for personal data."""

    form: str
    version: str
    citation: str
    texts: Mapping[Language, FormWords]

    @property
    def instruments(self) -> tuple[str, ...]:
        """The kinds of instruments that the form takes."""
        return tuple(self.texts[LANGUAGES[0]].instruments)

    def received(self, language: Language, number: str) -> str:
        """What the answer to a submission says."""
        return _lines(Template(self.texts[language].received).substitute(receipt=number))

    def about(self, language: Language) -> str:
        """What the form is for, one paragraph a line."""
        return _lines(self.texts[language].about)

    def emergency(self, language: Language) -> str:
        """What to do instead where somebody's life or body is in danger."""
        return _lines(self.texts[language].emergency)


def form_problems(form: LegalForm) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the words, as language, field and reason."""
    first = form.texts.get(LANGUAGES[0])
    for language in LANGUAGES:
        words = form.texts.get(language)
        if words is None:
            yield language, "texts", "is missing"
            continue
        template = Template(words.received)
        if not template.is_valid() or set(template.get_identifiers()) != {"receipt"}:
            yield language, "received", "must have the place $receipt and no other"
        for field in ("about", "emergency"):
            if not getattr(words, field).strip():
                yield language, field, "is missing"
        if not words.instruments or (first and {*words.instruments} != {*first.instruments}):
            yield language, "instruments", "must be the same kinds in every language"
        for code, text in words.instruments.items():
            if not text.strip():
                yield language, f"instruments.{code}", "is missing"


def _lines(text: str) -> str:
    return "\n".join(" ".join(each.split()) for each in text.strip().split("\n\n"))
