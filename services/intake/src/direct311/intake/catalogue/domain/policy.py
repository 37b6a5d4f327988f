"""Versions of the privacy policy and of the notices that a resident sees with it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Literal

from direct311.intake.language import LANGUAGES, Language
from direct311.schemas import Model


class Contact(Model, extra="forbid"):
    """Who is responsible for the policy: shown with it and in Open311's discovery document
    (P23)."""

    name: str
    organization: str
    street: str
    city: str
    state: str
    zip_code: str
    telephone: str
    website: str


class EmailNotice(Model, extra="forbid"):
    """The notice to read before giving an e-mail address (section 668.6076, F.S.).

    The English text governs; the others are translations.
    """

    version: str
    citation: str
    texts: Mapping[Language, str]


class PolicyText(Model, extra="forbid"):
    title: str
    body: str


class PolicyVersion(Model, extra="forbid"):
    """One version, in force from the start of `effective_from` in the county's time.

    `express_consent`: a submission must name this version; otherwise use counts as agreement (P2).
    `changes`: what changed since the previous version, in one or two sentences; the first version
    has none.
    """

    version: str
    effective_from: date
    express_consent: bool
    wording: Literal["county", "development"]
    translations_reviewed: bool
    contact: Contact
    email_notice: EmailNotice
    changes: Mapping[Language, str] = {}
    texts: Mapping[Language, PolicyText]


class PrivacyPolicies(Model, extra="forbid"):
    """Every version that was ever in force: a request cites the one under which it was accepted."""

    policy: str
    jurisdiction_id: str
    citation: str
    policies: tuple[PolicyVersion, ...]

    def by_version(self, version: str) -> PolicyVersion | None:
        return next((each for each in self.policies if each.version == version), None)

    def in_force(self, on: date) -> PolicyVersion | None:
        """The newest version in force, or `None` before the first."""
        begun = [each for each in self.policies if each.effective_from <= on]
        return max(begun, key=lambda each: each.effective_from, default=None)

    def history(self) -> Sequence[PolicyVersion]:
        """All versions, newest first, including future ones."""
        return sorted(self.policies, key=lambda each: each.effective_from, reverse=True)

    def since(self, named: str | None, current: PolicyVersion) -> Sequence[PolicyVersion]:
        """The versions that came into force after the `named` one, up to the current one, oldest
        first. If none or a future one is named, only the current one."""
        known = self.by_version(named) if named is not None else None
        if known is None or known.effective_from > current.effective_from:
            return (current,)
        return [
            each
            for each in reversed(self.history())
            if known.effective_from < each.effective_from <= current.effective_from
        ]


def problems(policies: PrivacyPolicies) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the versions: version, field and reason."""
    if not policies.policies:
        yield "", "policies", "there are none"
    versions = Counter(each.version for each in policies.policies)
    starts = Counter(each.effective_from for each in policies.policies)
    first = min((each.effective_from for each in policies.policies), default=None)
    notices: dict[str, EmailNotice] = {}
    for each in policies.policies:
        if notices.setdefault(each.email_notice.version, each.email_notice) != each.email_notice:
            yield each.version, "email_notice.version", "another text has this number"
        if versions[each.version] > 1:
            yield each.version, "version", "more than one has this number"
        if starts[each.effective_from] > 1:
            yield each.version, "effective_from", "another version begins on the same day"
        for language in LANGUAGES:
            if language not in each.texts or not each.texts[language].body.strip():
                yield each.version, f"texts.{language}", "is missing"
            if not each.email_notice.texts.get(language, "").strip():
                yield each.version, f"email_notice.texts.{language}", "is missing"
            if each.effective_from != first and not each.changes.get(language, "").strip():
                yield each.version, f"changes.{language}", "is missing"
