"""The e-mails that reporters get: texts in three languages, which contain nothing about the
request."""

from collections.abc import Iterator, Mapping
from string import Template

from direct311.intake.language import LANGUAGES, Language
from direct311.schemas import Model


class MessageText(Model, extra="forbid"):
    """`body` may have `$code` and `$minutes` in a code's message, `$link` in a status message."""

    subject: str
    body: str


class Messages(Model, extra="forbid"):
    """All texts. They have no place for personal data, so that none can get in by mistake."""

    messages: str
    version: str
    code: Mapping[Language, MessageText]
    status: Mapping[Language, MessageText]

    def of_code(self, language: Language, code: str, minutes: int) -> MessageText:
        return _filled(self.code[language], code=code, minutes=str(minutes))

    def of_status(self, language: Language, link: str) -> MessageText:
        return _filled(self.status[language], link=link)


PLACES: Mapping[str, frozenset[str]] = {
    "code": frozenset({"code", "minutes"}),
    "status": frozenset({"link"}),
}


def problems(messages: Messages) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the texts, as message, field and reason."""
    for name, texts in (("code", messages.code), ("status", messages.status)):
        for language in LANGUAGES:
            text = texts.get(language)
            if text is None or not text.subject.strip() or not text.body.strip():
                yield name, language, "is missing"
                continue
            if "\n" in text.subject or "$" in text.subject:
                yield name, f"{language}.subject", "must be one line without a place"
            template = Template(text.body)
            if not template.is_valid() or set(template.get_identifiers()) != PLACES[name]:
                places = ", ".join(f"${each}" for each in sorted(PLACES[name]))
                yield name, f"{language}.body", f"must have the places {places} and no other"


def _filled(text: MessageText, **values: str) -> MessageText:
    return MessageText(subject=text.subject, body=Template(text.body).substitute(values))
