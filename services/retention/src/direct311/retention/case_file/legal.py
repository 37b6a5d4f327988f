"""What the file of a law-enforcement case knows of its legal process: by which instrument somebody
asked, who verified it, what was asked and what was granted, and who got what."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

from direct311.schemas import Instant, Model, replaced
from direct311.schemas import events as ev
from direct311.schemas.secrecy import DelayedNotice

CallSubject = Literal["instrument", "officer", "follow_up"]
CallOutcome = Literal["confirmed", "denied", "no_answer"]

INTERNAL_REFERRAL: Final = "internal_referral"
"""The instrument of a case that the county opens on its own motion."""
EXIGENT_REQUEST: Final = "exigent_request"
"""The instrument of a request that cannot wait for one."""
MOST_OBJECTIONS: Final = 50
MOST_CALLS: Final = 100
MOST_SCOPES: Final = 50
MOST_HAND_OVERS: Final = 200


class LegalScope(Model, extra="forbid"):
    """What somebody asks to have opened, or is granted. `found`: how many records that its searches
    find may be opened besides the named ones."""

    record_ids: tuple[str, ...] = ()
    file_ids: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    searches: tuple[ev.GrantedSearch, ...] = ()
    found: int = 0

    @property
    def persons(self) -> int:
        """The most people whom it can be about: each record has one reporter at most."""
        return len({*self.record_ids}) + self.found

    def within(self, other: "LegalScope") -> bool:
        """Whether it opens nothing that the other does not open."""
        allowed = {each.kind: each.number for each in other.searches}
        return (
            {*self.record_ids} <= {*other.record_ids}
            and {*self.file_ids} <= {*other.file_ids}
            and {*self.fields} <= {*other.fields}
            and self.found <= other.found
            and all(each.number <= allowed.get(each.kind, 0) for each in self.searches)
        )


class GivenScope(Model):
    """A scope that was granted, by whom and when."""

    scope: LegalScope
    given_by: str
    given_at: Instant


class CallBack(Model):
    """One call to the published number of an agency, or one question at the court that issued an
    instrument. `list_version`: of the file that had the number. `document`: SHA-256 (hex) of the
    instrument in the case file, unless the call was about the officer."""

    subject: CallSubject
    instrument: str
    agency: str
    list_version: str
    outcome: CallOutcome
    document: str | None = None
    called_by: str
    called_at: Instant


class Refusal(Model):
    """Why the county gives nothing, as a code."""

    reason: str
    refused_by: str
    refused_at: Instant


class Objection(Model):
    """Somebody objects to the process. Nothing is granted or opened while it stands."""

    reason: str
    raised_by: str
    raised_at: Instant
    settled_by: str | None = None
    settled_at: Instant | None = None

    @property
    def stands(self) -> bool:
        """Whether nobody has settled it."""
        return self.settled_at is None

    def settled(self, by: str, at: datetime) -> "Objection":
        """A copy that somebody settled."""
        return replaced(self, settled_by=by, settled_at=at)


class Threat(Model):
    """What makes it exigent, as a code. The words are sealed."""

    code: str
    stated_by: str
    stated_at: Instant


class Referral(Model):
    """A record that the county itself reports, and why, as a code."""

    record_id: str
    reason: str
    referred_by: str


class OralDisclosure(Model):
    """What somebody opened of a record in an emergency, before there was a case, and which agency
    they told of it; `None`: nobody outside the county. What was said is sealed."""

    record_id: str
    opened_by: str
    opened_at: Instant
    agency: str | None = None


class HandOver(Model):
    """One link of the chain of custody: who gave what to which agency, and how. The name of the
    person who took it is sealed, if somebody said it. `sha256` (hex): of what was handed over.
    `receipt`: the code of the receipt that the agency gave; `None` until it has given one."""

    hand_over_id: str
    agency: str
    how: str
    sha256: str
    receipt: str | None = None
    handed_by: str
    handed_at: Instant
    receipted_at: Instant | None = None

    @property
    def sealed_name(self) -> str:
        """What binds the sealed name to it."""
        return f"case_instrument/hand-over/{self.hand_over_id}"

    def receipted(self, receipt: str, at: datetime) -> "HandOver":
        """A copy for which the agency gave a receipt."""
        return replaced(self, receipt=receipt, receipted_at=at)


class LegalProcess(Model):
    """`calls`: every call-back, also those that came to nothing. `scopes`: what was granted, first
    and after each narrowing. `follow_up_due_at`: when an instrument must have followed what was
    opened without one; `follow_up`: the call that verified it. `notices`: the documents that delay
    the notice to the subject, oldest first. `oral`: what was opened and told before there was a
    case. `claimed`: by which instrument somebody says to ask who sent the form at the gateway;
    nothing is decided by it."""

    instrument: str | None = None
    agency: str | None = None
    document: str | None = None
    calls: tuple[CallBack, ...] = ()
    asked: LegalScope | None = None
    scopes: tuple[GivenScope, ...] = ()
    refusal: Refusal | None = None
    objections: tuple[Objection, ...] = ()
    threat: Threat | None = None
    referral: Referral | None = None
    follow_up_due_at: Instant | None = None
    follow_up: CallBack | None = None
    notices: tuple[DelayedNotice, ...] = ()
    hand_overs: tuple[HandOver, ...] = ()
    oral: OralDisclosure | None = None
    claimed: str | None = None

    @property
    def granted(self) -> LegalScope | None:
        """What may be opened now."""
        return self.scopes[-1].scope if self.scopes else None

    @property
    def notice(self) -> DelayedNotice | None:
        """What delays the notice to the subject now."""
        return self.notices[-1] if self.notices else None

    @property
    def narrowed(self) -> bool:
        """Whether less was granted than was asked, at once or later."""
        granted = self.granted
        return granted is not None and self.asked is not None and not self.asked.within(granted)

    @property
    def told_before(self) -> bool:
        """Whether an agency was told before there was a case."""
        return self.oral is not None and self.oral.agency is not None

    @property
    def objected(self) -> bool:
        """Whether an objection stands."""
        return any(each.stands for each in self.objections)

    def confirmed(self) -> frozenset[str]:
        """What calls confirmed of the instrument and the agency that the case has now."""
        return frozenset(
            each.subject
            for each in self.calls
            if each.outcome == "confirmed"
            and (each.instrument, each.agency) == (self.instrument, self.agency)
            and (each.subject == "officer" or each.document == self.document)
        )

    @property
    def awaits_follow_up(self) -> bool:
        """Whether an instrument must still follow what was opened."""
        return self.follow_up_due_at is not None and self.follow_up is None

    def served(self, *, instrument: str, agency: str, document: str | None) -> "LegalProcess":
        """A copy with this instrument of this agency. What was confirmed of another one does not
        count for it."""
        return replaced(self, instrument=instrument, agency=agency, document=document)

    def called(self, call: CallBack) -> "LegalProcess":
        """A copy with one more call. A confirmed follow-up is the instrument that was awaited."""
        followed = call.subject == "follow_up" and call.outcome == "confirmed"
        return replaced(
            self, calls=(*self.calls, call), follow_up=call if followed else self.follow_up
        )

    def refused(self, refusal: Refusal) -> "LegalProcess":
        """A copy that was refused."""
        return replaced(self, refusal=refusal)

    def scoped(self, asked: LegalScope, given: GivenScope) -> "LegalProcess":
        """A copy with what was asked and what was granted; both are kept."""
        return replaced(self, asked=asked, scopes=(*self.scopes, given))

    def objecting(self, objections: Sequence[Objection]) -> "LegalProcess":
        """A copy with these objections."""
        return replaced(self, objections=tuple(objections))

    def threatened(self, threat: Threat, *, agency: str) -> "LegalProcess":
        """A copy of a request that cannot wait for an instrument."""
        return replaced(
            self, threat=threat, instrument=EXIGENT_REQUEST, agency=agency, document=None
        )

    def opened(self, follow_up_due_at: datetime | None) -> "LegalProcess":
        """A copy in which a grant took effect. The first one decides when an instrument is due."""
        if self.follow_up_due_at is not None or follow_up_due_at is None:
            return self
        return replaced(self, follow_up_due_at=follow_up_due_at)

    def delayed(self, notice: DelayedNotice) -> "LegalProcess":
        """A copy whose notice to the subject is delayed by this document."""
        return replaced(self, notices=(*self.notices, notice))

    def handed_over(self, link: HandOver) -> "LegalProcess":
        """A copy with this link of the chain of custody, in place of the one with the same id."""
        known = any(each.hand_over_id == link.hand_over_id for each in self.hand_overs)
        if not known:
            return replaced(self, hand_overs=(*self.hand_overs, link))
        return replaced(
            self,
            hand_overs=tuple(
                link if each.hand_over_id == link.hand_over_id else each for each in self.hand_overs
            ),
        )

    def awaits_receipt(self, sha256: str) -> HandOver | None:
        """The newest hand-over of this for which nobody has given a receipt."""
        found = (
            each
            for each in reversed(self.hand_overs)
            if each.sha256 == sha256 and each.receipt is None
        )
        return next(found, None)
