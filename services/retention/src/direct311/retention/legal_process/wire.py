"""Legal processes on the wire."""

from typing import Annotated, Final, Literal

from pydantic import Field

from direct311.retention.case_file.legal import (
    CallBack,
    CallOutcome,
    CallSubject,
    GivenScope,
    HandOver,
    LegalScope,
    Objection,
    OralDisclosure,
    Referral,
    Refusal,
    Threat,
)
from direct311.retention.cases.domain import CaseContact, CaseState
from direct311.retention.legal_process.domain import Agency, FieldClass, Instrument
from direct311.runtime.parameters import GivenInstant
from direct311.runtime.text import Line, Lines
from direct311.schemas import Instant, Model, RecordId
from direct311.schemas import events as ev
from direct311.schemas.model import Code, Sha256
from direct311.schemas.secrecy import DelayedNotice

FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", examples=["phone"])]
Version = Annotated[int, Field(ge=1, le=2**53 - 1)]
Words = Annotated[str, Field(min_length=1, max_length=5_000), Lines]
Name = Annotated[str, Field(min_length=1, max_length=200), Line]
Key = Annotated[str, Field(min_length=16, max_length=200)]
BASE64: Final = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
LONGEST_DOCUMENT: Final = 8 * 1024**2 // 3 * 4 + 4
"""Of 8 MB in base64."""


class CallOrder(Model, extra="forbid"):
    """A call to the published number of `agency`, an id in the county's list. `subject`: what was
    asked about; each call is about one thing. `document`: SHA-256 of the instrument in the case
    file, unless the call is about the officer. `called_at`: now, if it is left out. `version`: the
    case's, as you have seen it. There is no place for a number: one from a letter is never
    called."""

    version: Version
    subject: CallSubject
    instrument: Code
    agency: Code
    outcome: CallOutcome
    document: Sha256 | None = None
    called_at: GivenInstant | None = None


class OfficerContact(CaseContact, extra="forbid"):
    """Who sent a legal process at the gateway, as they say. It is sealed, and nobody is called back
    at a number in it."""

    name: Name
    badge: Annotated[str, Field(min_length=1, max_length=60), Line] | None = None
    agency: Name
    email: Annotated[str, Field(min_length=1, max_length=320), Line] | None = None
    phone: Annotated[str, Field(min_length=1, max_length=40), Line] | None = None
    address: Annotated[str, Field(min_length=1, max_length=300), Line] | None = None


class SubmissionOrder(Model, extra="forbid"):
    """A legal process that somebody sent at the gateway. `key`: random, chosen by the sender.
    `instrument`: as the sender calls it. `request`: which records are asked for. `document`: the
    instrument in base64, at most 8 MB; it is sealed and never parsed."""

    key: Key
    instrument: Code
    request: Annotated[str, Field(min_length=1, max_length=20_000), Lines]
    officer: OfficerContact
    document: Annotated[
        str, Field(min_length=4, max_length=LONGEST_DOCUMENT, pattern=BASE64, repr=False)
    ]


class ReceivedView(Model):
    """`repeated`: the case was opened before."""

    case_id: str
    received_at: Instant
    repeated: bool


class ReasonOrder(Model, extra="forbid"):
    """`reason`: a code in the list of `GET /v1/legal-instruments`."""

    reason: Code


class ThreatOrder(Model, extra="forbid"):
    """Why it cannot wait for an instrument. `threat`: a code of the list. `words`: what was said;
    sealed. `version`: the case's, as you have seen it."""

    version: Version
    agency: Code
    threat: Code
    words: Words


class SearchOrder(Model, extra="forbid"):
    """At most `number` searches of this kind. What is sought is never part of a scope."""

    kind: Code
    number: Annotated[int, Field(ge=1, le=1_000)]


class ScopeOrder(Model, extra="forbid"):
    """What may be opened. `found`: how many records that the searches find, besides the named
    ones."""

    record_ids: Annotated[tuple[RecordId, ...], Field(max_length=ev.MOST_IN_A_GRANT)] = ()
    file_ids: Annotated[tuple[RecordId, ...], Field(max_length=ev.MOST_IN_A_GRANT)] = ()
    fields: Annotated[tuple[FieldName, ...], Field(min_length=1, max_length=100)]
    searches: Annotated[tuple[SearchOrder, ...], Field(max_length=20)] = ()
    found: Annotated[int, Field(ge=0, le=ev.MOST_IN_A_GRANT)] = 0

    def scope(self) -> LegalScope:
        """What the domain knows of it."""
        return LegalScope(
            record_ids=tuple(dict.fromkeys(self.record_ids)),
            file_ids=tuple(dict.fromkeys(self.file_ids)),
            fields=tuple(dict.fromkeys(self.fields)),
            searches=tuple(ev.GrantedSearch(**each.model_dump()) for each in self.searches),
            found=self.found,
        )


class LegalScopeOrder(Model, extra="forbid"):
    """`asked`: what the instrument asks for, given once and kept. `granted`: what of it may be
    opened; afterwards it only gets smaller. `version`: the case's, as you have seen it."""

    version: Version
    asked: ScopeOrder | None = None
    granted: ScopeOrder


class ObjectionOrder(Model, extra="forbid"):
    """`reason`: a code of the list. `state`: only counsel settles an objection."""

    reason: Code
    state: Literal["raised", "settled"]


class NoticeOrder(Model, extra="forbid"):
    """A document in the case file that delays the notice to the subject. `document`: its SHA-256.
    `until`: at most 90 days after `dated_at`. `version`: the case's, as you have seen it."""

    version: Version
    document: Sha256
    dated_at: GivenInstant
    until: GivenInstant


class CustodyOrder(Model, extra="forbid"):
    """Something was handed over to the verified agency. `sha256`: of what was handed over. `how`:
    a code of the list. `receipt`: the code of the agency's receipt. `taken_by`: who took it;
    sealed."""

    how: Code
    sha256: Sha256
    receipt: Code
    taken_by: Name


class ReferralOrder(Model, extra="forbid"):
    """`record_id`: the record that looks unlawful. `reason`: a code of the list. `words`: what you
    saw; sealed. `key`: random, chosen by the sender; a repeat with it opens no other case."""

    key: Key
    record_id: RecordId
    reason: Code
    words: Words


class OralOrder(Model, extra="forbid"):
    """What somebody opened in an emergency, and whom they told. `opened_by`: the subject of who
    opened it; you, if it is left out. `opened_at`: when; what counts is the day (UTC). `agency`:
    whom they told, an id in the county's list; nobody outside the county, if it is left out.
    `threat`: a code of the list, where somebody was told. `words`: what happened and what was said;
    sealed."""

    record_id: RecordId
    opened_by: Annotated[str, Field(min_length=1, max_length=200), Line] | None = None
    opened_at: GivenInstant
    agency: Code | None = None
    threat: Code | None = None
    words: Words


class OralView(Model):
    """`case_id`: the case file about it. Its desk answers for it from now on."""

    case_id: str
    recorded_at: Instant


class ReferralView(Model):
    """`referral_id` names the case. Its desk answers for it from now on."""

    referral_id: str
    received_at: Instant


class LegalView(Model):
    """A law-enforcement case without anything that was sealed. `missing`: what must still be
    confirmed by a call. `narrowed`: less was granted than was asked. `claimed`: by which instrument
    the sender of a form at the gateway says to ask. `exempt_until`: until when nobody without the
    right learns of it."""

    case_id: str
    version: int
    state: CaseState
    instrument: Code | None = None
    agency: Code | None = None
    document: Sha256 | None = None
    missing: tuple[str, ...]
    calls: tuple[CallBack, ...]
    asked: LegalScope | None = None
    scopes: tuple[GivenScope, ...]
    narrowed: bool
    objections: tuple[Objection, ...]
    refusal: Refusal | None = None
    threat: Threat | None = None
    referral: Referral | None = None
    oral: OralDisclosure | None = None
    claimed: Code | None = None
    follow_up_due_at: Instant | None = None
    follow_up: CallBack | None = None
    follow_up_overdue: bool
    notices: tuple[DelayedNotice, ...]
    exempt_until: Instant | None = None
    hand_overs: tuple[HandOver, ...]


class ThreatView(Model):
    """The threat in words."""

    case_id: str
    words: str


class HandedView(Model):
    """One link of the chain. `taken_by`: absent where nobody said it, such as for a download."""

    link: HandOver
    taken_by: str | None = None


class CustodyView(Model):
    """The chain of custody, oldest link first."""

    case_id: str
    chain: tuple[HandedView, ...]


class LegalLists(Model):
    """Everything that is in force here: instruments, the classes of fields that they open, whom to
    call back, and the codes."""

    instruments: tuple[Instrument, ...]
    classes: tuple[FieldClass, ...]
    agencies: tuple[Agency, ...]
    refusals: tuple[Code, ...]
    objections: tuple[Code, ...]
    threats: tuple[Code, ...]
    referrals: tuple[Code, ...]
    ways: tuple[Code, ...]
