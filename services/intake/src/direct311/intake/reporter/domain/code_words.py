"""What reporters read in place of codes, in three languages: roles, purposes, departments."""

from collections.abc import Iterator, Mapping, Sequence
from string import Template

from direct311.intake.language import LANGUAGES, Language
from direct311.schemas import Model

Words = Mapping[Language, str]


class CodeWords(Model, extra="forbid"):
    """The words for every code. A code without words is shown as it is. `delay` has the place
    `$seconds`, and each of `outcomes` has the place `$action`."""

    code_words: str
    version: str
    delay: Words
    no_purpose: Words
    nobody_known: Words
    roles: Mapping[str, Words]
    purposes: Mapping[str, Words]
    actions: Mapping[str, Words]
    outcomes: Mapping[str, Words]
    fields: Mapping[str, Words]
    departments: Mapping[str, Words]
    held_because: Mapping[str, Words]

    def late_by(self, seconds: int, language: Language) -> str:
        """How long an access may be missing from the list, as a sentence."""
        return Template(self.delay[language]).substitute(seconds=str(seconds))

    def who(self, roles: Sequence[str], department: str | None, language: Language) -> str:
        """In which role and department somebody acted, never who the person was."""
        named = [_said(self.roles, role, language) for role in roles]
        if department is not None:
            named.append(self.department(department, language))
        return ", ".join(named) or self.nobody_known[language]

    def why(self, purpose: str, sentence: str, language: Language) -> str:
        """A purpose. `sentence`: the access rules' own words, for a purpose that is not listed
        here."""
        if not purpose:
            return self.no_purpose[language]
        known = self.purposes.get(purpose)
        return known[language] if known else sentence or self.no_purpose[language]

    def what(self, action: str, outcome: str, language: Language) -> str:
        """What was done, and how it ended."""
        done = _said(self.actions, action, language)
        return Template(_said(self.outcomes, outcome, language)).safe_substitute(action=done)

    def field(self, code: str, language: Language) -> str:
        return _said(self.fields, code, language)

    def department(self, code: str, language: Language) -> str:
        return _said(self.departments, code, language)

    def held(self, code: str, language: Language) -> str:
        """Why a request is held."""
        return _said(self.held_because, code, language)


def problems(words: CodeWords) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the words, as group, code or language, and reason."""
    yield from _of_one("delay", "", words.delay, {"seconds"})
    yield from _of_one("no_purpose", "", words.no_purpose, set())
    yield from _of_one("nobody_known", "", words.nobody_known, set())
    for group, places in _GROUPS.items():
        for code, said in getattr(words, group).items():
            yield from _of_one(group, code, said, places)


_GROUPS: Mapping[str, set[str]] = {
    "roles": set(),
    "purposes": set(),
    "actions": set(),
    "outcomes": {"action"},
    "fields": set(),
    "departments": set(),
    "held_because": set(),
}
"""For each group of codes, the places that its words must have."""


def _of_one(group: str, code: str, said: Words, places: set[str]) -> Iterator[tuple[str, str, str]]:
    for language in LANGUAGES:
        text = said.get(language, "")
        where = f"{code}.{language}" if code else language
        if not text.strip():
            yield group, where, "is missing"
            continue
        template = Template(text)
        if not template.is_valid() or set(template.get_identifiers()) != places:
            named = ", ".join(f"${each}" for each in sorted(places)) or "none"
            yield group, where, f"must have these places and no others: {named}"


def _said(words: Mapping[str, Words], code: str, language: Language) -> str:
    known = words.get(code)
    return known[language] if known else code
