"""A request for public records, what the county answers to it, and the words of the answers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from string import Template
from typing import Final

from direct311.intake.language import LANGUAGES, Language
from direct311.schemas import Instant, Model
from direct311.schemas.model import nothing

STATES: Final = (
    "received",
    "acknowledged",
    "scoping",
    "clarifying",
    "estimating",
    "awaiting_payment",
    "collecting",
    "reviewing",
    "packaged",
    "approved",
    "released",
    "closed",
)
"""The states of a case, as retention names them. A state that is not here has no words, and its
name is shown."""
STEPS: Final = (
    "received",
    "document_added",
    "worked_on",
    "message_written",
    "reopened",
    "closed",
)
"""The steps of a case, likewise."""
SENDERS: Final = ("county", "requester")
"""Who writes a message, likewise."""


@dataclass(frozen=True, slots=True)
class RecordsRequest:
    """`key`: random, so that a repeat opens no second case. `text`: in the requester's own words.
    `contact`: what the requester left, by its name; it may be empty. Both are passed on to the case
    desk and kept nowhere here, so neither is in the representation of this object."""

    key: str
    text: str
    contact: Mapping[str, str]

    def __repr__(self) -> str:
        return "RecordsRequest(…)"


@dataclass(frozen=True, slots=True)
class CaseReceipt:
    """A case that was opened. `token`: by which its requester asks for its state. `repeated`: it
    was opened before."""

    case_id: str
    received_at: datetime
    token: str
    repeated: bool

    def __repr__(self) -> str:
        return f"CaseReceipt({self.case_id})"


@dataclass(frozen=True, slots=True)
class CaseStatus:
    """How far a case is. `age_days`, `days_without_act`: whole days since its receipt, and since
    its last step."""

    case_id: str
    state: str
    outcome: str | None
    received_at: datetime
    age_days: int
    days_without_act: int
    last_step: str
    last_step_at: datetime


class EstimateLine(Model):
    """What one thing costs. `units`: pages, copies, or minutes of work that are charged."""

    code: str
    citation: str
    units: int
    cents: int


class CaseEstimate(Model):
    """What a case costs, in cents of a dollar. `version`: the estimate's; it is what the requester
    accepts. `deposit_cents`: what must be paid before the work begins; absent if it is all.
    `invoice_lines`: what it cost after all."""

    case_id: str
    version: int
    state: str
    medium: str
    lines: tuple[EstimateLine, ...]
    total_cents: int
    deposit_cents: int | None = None
    made_at: Instant
    accepted_at: Instant | None = None
    invoice_lines: tuple[EstimateLine, ...] | None = None
    due_cents: int
    paid_cents: int
    owed_cents: int


class DeniedPart(Model):
    """What was denied, and why. `record_id` is absent if it is all that was asked for, `field` if
    it is all of the record; `exemption` and `citation` name the law, if the reason is one."""

    reason: str
    record_id: str | None = None
    field: str | None = None
    exemption: str | None = None
    citation: str | None = None


class DenialStatement(Model):
    """The written statement of a denial. `outcome`: `denied` if nothing is given, or `part`."""

    denial_id: str
    outcome: str
    items: tuple[DeniedPart, ...]
    statement: str
    approved_at: Instant

    def __repr__(self) -> str:
        return f"DenialStatement({self.denial_id})"


class CaseStatements(Model):
    """What was denied of a request, oldest first."""

    case_id: str
    statements: tuple[DenialStatement, ...]


class NoticeWords(Model, extra="forbid"):
    """What a requester reads, in one language. `acknowledgement` may have `$case`. `states` and
    `steps` are the words for what retention names, `charges` those for the lines of an estimate,
    `senders` those for who writes a message."""

    acknowledgement: str
    states: Mapping[str, str]
    steps: Mapping[str, str]
    charges: Mapping[str, str] = nothing()
    senders: Mapping[str, str]
    message_received: str


class RecordsRequestNotices(Model, extra="forbid"):
    """All texts; see `data/records_requests.yaml`. They have no place for personal data."""

    notices: str
    version: str
    citation: str
    texts: Mapping[Language, NoticeWords]

    def acknowledgement(self, language: Language, case_id: str) -> str:
        """What the answer to a submission says, one paragraph a line."""
        words = Template(self.texts[language].acknowledgement).substitute(case=case_id)
        return "\n".join(" ".join(each.split()) for each in words.strip().split("\n\n"))

    def state(self, language: Language, state: str) -> str:
        """The state in the reader's language; its name if it has no words yet."""
        return self.texts[language].states.get(state, state)

    def step(self, language: Language, step: str) -> str:
        """The step, likewise."""
        return self.texts[language].steps.get(step, step)

    def charge(self, language: Language, code: str) -> str:
        """What is charged for, likewise."""
        return self.texts[language].charges.get(code, code)

    def sender(self, language: Language, sender: str) -> str:
        """Who wrote a message, likewise."""
        return self.texts[language].senders.get(sender, sender)

    def message_received(self, language: Language) -> str:
        """What the answer to a message says."""
        return " ".join(self.texts[language].message_received.split())


def notice_problems(notices: RecordsRequestNotices) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the texts, as language, field and reason."""
    for language in LANGUAGES:
        words = notices.texts.get(language)
        if words is None:
            yield language, "texts", "is missing"
            continue
        template = Template(words.acknowledgement)
        if not template.is_valid() or set(template.get_identifiers()) != {"case"}:
            yield language, "acknowledgement", "must have the place $case and no other"
        for field, named, known in (
            ("states", words.states, STATES),
            ("steps", words.steps, STEPS),
            ("senders", words.senders, SENDERS),
            ("message_received", {"": words.message_received}, ("",)),
        ):
            for name in known:
                if not named.get(name, "").strip():
                    yield language, f"{field}.{name}" if name else field, "is missing"
