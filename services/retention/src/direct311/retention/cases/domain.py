"""A case file: what came in, what state the case is in, and who may see that it exists."""

from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal, get_args

from direct311.retention.case_file.charges import CaseCharges
from direct311.retention.case_file.clearances import CaseClearances
from direct311.retention.case_file.deliveries import CaseDeliveries
from direct311.retention.case_file.denials import CaseDenials
from direct311.retention.case_file.legal import EXIGENT_REQUEST, LegalProcess
from direct311.retention.case_file.messages import Correspondence
from direct311.retention.case_file.packages import CasePackages
from direct311.retention.case_file.scope import CaseScope
from direct311.retention.case_file.searches import SearchLog
from direct311.retention.case_file.steps import StepNote
from direct311.retention.holds.domain import Bounds, ProvisionalHold
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.state import RecordState
from direct311.schemas import Instant, Model, replaced
from direct311.schemas import events as ev
from direct311.schemas.model import Code, nothing

CaseKind = Literal["public_records", "law_enforcement"]
CaseState = Literal[
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
    "verifying",
    "verified",
    "refused",
    "scoped",
    "granted",
    "minimising",
    "receipted",
]
CaseOutcome = Literal["full", "part", "denied", "no_records", "withdrawn", "unpaid", "unclear"]
CaseChannel = Literal["public"]
CaseStep = Literal[
    "received", "document_added", "worked_on", "message_written", "reopened", "closed"
]
DocumentKind = Literal["letter", "instrument"]
GrantState = Literal["prepared", "approved", "revoked", "expired"]

REQUEST: Final = "case_request"
"""The sealed field with the request in the requester's own words."""
CONTACT: Final = "case_contact"
"""The sealed field with the requester's contact data, as JSON; absent if the requester left
none."""
SEALED_AS: Final[Mapping[DocumentKind, str]] = MappingProxyType(
    {"letter": "case_letter", "instrument": "case_instrument"}
)
"""The sealed field of each kind of document."""
MOST_DOCUMENTS: Final = 500
"""The most documents in one case file."""
MOST_TOKENS: Final = 5
"""How many tokens of one case are good at the same time: each repeat of its submission gets one."""
MOST_GRANTS: Final = 100
"""The most grants in one case file."""

MOST_DAYS: Final = 36_500
"""The most days for which entries about a case are withheld at first."""

MOST_GRANT_DAYS: Final = 366
"""The most days for which a file of kinds may let a grant be in force."""
MOST_APPROVERS: Final = 5
"""The most people whose approval a grant may need: as many as its event can name."""
LEAST_HOLD_DAYS: Final = 30
"""Section 119.07(1)(h), F.S."""

_CLOSING: Final = frozenset[CaseState]({"closed"})
TRANSITIONS: Final[Mapping[CaseState, frozenset[CaseState]]] = MappingProxyType(
    {
        "received": _CLOSING | {"acknowledged"},
        "acknowledged": _CLOSING | {"scoping", "clarifying"},
        "scoping": _CLOSING | {"clarifying", "estimating", "collecting"},
        "clarifying": _CLOSING | {"scoping"},
        "estimating": _CLOSING | {"awaiting_payment", "collecting"},
        "awaiting_payment": _CLOSING | {"collecting"},
        "collecting": _CLOSING | {"scoping", "reviewing"},
        "reviewing": _CLOSING | {"packaged"},
        "packaged": _CLOSING | {"reviewing", "approved"},
        "approved": _CLOSING | {"reviewing", "released"},
        "released": _CLOSING | {"collecting"},
        "closed": frozenset({"scoping"}),
    }
)
"""Which states a public-records case may enter from which. It pays only if something is charged; a
partial release goes back to collecting; what is learned while collecting changes the scope; a
closed case is reopened at its scope; withdrawing closes it from every state."""
LEGAL_TRANSITIONS: Final[Mapping[CaseState, frozenset[CaseState]]] = MappingProxyType(
    {
        "received": _CLOSING | {"verifying", "refused"},
        "verifying": _CLOSING | {"verified", "refused"},
        "verified": _CLOSING | {"scoped", "refused"},
        "refused": _CLOSING,
        "scoped": _CLOSING | {"granted", "refused"},
        "granted": _CLOSING | {"collecting"},
        "collecting": _CLOSING | {"minimising"},
        "minimising": _CLOSING | {"packaged", "collecting"},
        "packaged": _CLOSING | {"minimising", "approved", "collecting"},
        "approved": _CLOSING | {"minimising", "released", "collecting"},
        "released": _CLOSING | {"collecting", "receipted"},
        "receipted": _CLOSING | {"collecting"},
        "closed": frozenset(),
    }
)
"""The same for a law-enforcement case. An objection changes what it may open, in every state, and
not the state itself. A narrowing does too, but that what was collected for a wider scope and has
not gone out is collected again."""
_OPEN: Final = frozenset({*TRANSITIONS, *LEGAL_TRANSITIONS}) - _CLOSING
CLOSED_FROM: Final[Mapping[CaseOutcome, frozenset[CaseState]]] = MappingProxyType(
    {
        "withdrawn": _OPEN,
        "unclear": frozenset({"clarifying"}),
        "no_records": frozenset({"scoping", "estimating", "collecting", "reviewing"}),
        "unpaid": frozenset({"awaiting_payment"}),
        "denied": frozenset({"acknowledged", "scoping", "collecting", "reviewing", "packaged"}),
        "part": frozenset({"released", "receipted"}),
        "full": frozenset({"released", "receipted"}),
    }
)
"""From which states a case may be closed with an outcome."""
NOTHING_TO_KEEP: Final = frozenset[CaseOutcome]({"withdrawn", "unclear", "no_records"})
"""Outcomes that end what the case stopped provisionally. With any other, records were asked for
that exist, so each of them has its hold before the case is closed."""
_SHOWN_STEPS: Final[Mapping[str, CaseStep]] = MappingProxyType(
    {
        "opened": "received",
        "document_added": "document_added",
        "message_written": "message_written",
        "question_asked": "message_written",
        "reopened": "reopened",
        "closed": "closed",
    }
)
"""What a requester reads about a step of the county's; any other reads `worked_on`."""
BY_THE_REQUESTER: Final = "message_received"
"""The step of the requester's own. It is no act of the county's."""


class CaseContact(Model, extra="forbid"):
    """How to reach the requester. All of it is optional, and used for this case only. `badge`,
    `agency`: what an officer says about themself. Nobody is called back at a number in it."""

    name: str | None = None
    badge: str | None = None
    agency: str | None = None
    email: str | None = None
    phone: str | None = None
    address: str | None = None


class CaseDocument(Model):
    """A letter or an instrument, sealed in the store and never parsed. `sha256` (hex) and `size`
    are those of the bytes that came."""

    sha256: str
    kind: DocumentKind
    size: int
    added_by: str
    added_at: Instant

    @property
    def field(self) -> str:
        """The name of its sealed field in the access rules."""
        return SEALED_AS[self.kind]

    @property
    def sealed_name(self) -> str:
        """What binds its ciphertext to it; the key binds the case."""
        return f"{self.field}/{self.sha256}"


class PublicReceipt(Model):
    """A request that somebody submitted at the gateway, without a person of the county.

    `token_hashes`: SHA-256 (hex) of the tokens by which the requester asks for the state, the
    newest last; none if nobody may ask. `mark` (SHA-256 of the submission's key) recognizes a
    repeat; `content` is the HMAC of what was sent, under that key, which is kept nowhere.
    """

    mark: str
    content: str
    token_hashes: tuple[str, ...]

    def with_token(self, token_hash: str) -> "PublicReceipt":
        """A copy with a new token. The oldest goes if there would be too many."""
        return replaced(self, token_hashes=(*self.token_hashes, token_hash)[-MOST_TOKENS:])


class RoleApproval(Model):
    """One person's approval of a grant, and in which role it was given."""

    role: str
    approval: ev.Approval


class GrantEnd(Model):
    """Who revoked a grant, when, and why (a code)."""

    reason: str
    revoked_by: str
    revoked_at: Instant


class IssuedGrant(Model):
    """A grant of the case, from its preparation on.

    `grant` is exactly what the approvers approve, and never changes. `prepared_from`: the version
    of the case that the person who prepared it had seen. `approved_at`: when the last approval that
    it needed was given; from then on it is in force, until it ends.
    """

    grant: ev.DisclosureGrant
    prepared_from: int
    approvals: tuple[RoleApproval, ...] = ()
    approved_at: Instant | None = None
    end: GrantEnd | None = None

    @property
    def version(self) -> int:
        """Counts what happened to it: 1 when it is prepared, one more for each approval and for its
        end."""
        return 1 + len(self.approvals) + (self.end is not None)

    @property
    def changed_at(self) -> datetime:
        """When somebody last did something about it."""
        approvals = [each.approval.approved_at for each in self.approvals]
        ends = [self.end.revoked_at] if self.end else []
        return max([self.grant.prepared_at, *approvals, *ends])

    def state(self, at: datetime) -> GrantState:
        """`expired` also if it was never approved."""
        if self.end is not None:
            return "revoked"
        if self.grant.valid_until <= at:
            return "expired"
        return "approved" if self.approved_at else "prepared"

    def missing(self, needed: Collection[str]) -> tuple[str, ...]:
        """The roles, of those needed, in which nobody has approved it yet."""
        given = {each.role for each in self.approvals}
        return tuple(role for role in needed if role not in given)

    def approved_by(self, approval: RoleApproval, *, last: bool) -> "IssuedGrant":
        """A copy with one more approval; `last`: no other is needed."""
        at = approval.approval.approved_at
        return replaced(
            self,
            approvals=(*self.approvals, approval),
            approved_at=at if last else self.approved_at,
        )

    def revoked(self, end: GrantEnd) -> "IssuedGrant":
        """A copy that was revoked."""
        return replaced(self, end=end)


class Reopening(Model):
    """Who opens a closed case again, when, why (a code), and within which bounds it stops
    destruction then."""

    asked_as: ev.AccessAgent
    at: Instant
    reason: Code
    bounds: Bounds | None = None

    @property
    def by(self) -> str:
        """The subject of the token of who asked for it."""
        return self.asked_as.id


class CaseFile(RecordState):
    """One case; its record id is the number of the case. `sealed` maps sealed fields to their
    ciphertexts. `exempt_until`: entries of the access log about it are withheld until then.
    `unfiled`: the inventory does not know its newest dates yet. `channel`: `public` if it came
    through the gateway; then `public_receipt` says how its requester comes back to it.
    `provisional`: what it stops until its records are identified; a case from before has none.
    `suit_at`: somebody sued, so its holds last until a court's order; `suit` is `filed` once they
    do. `charges`: what it costs. `denials`: what of it was denied. `packages`: what was collected
    and packaged. `clearances`: what stopped a package, and what of it was cleared. `deliveries`:
    what of it was encrypted to its recipient, and who got it. `legal`: by which instrument law
    enforcement asked, and what became of it. `steps`: what was done since steps are kept, for the
    timeline. `reopening`: somebody opens it again, and the inventory may not know yet.
    """

    kind: CaseKind | None = None
    state: CaseState = "received"
    outcome: CaseOutcome | None = None
    received_at: Instant | None = None
    closed_at: Instant | None = None
    opened_by: str = ""
    channel: CaseChannel | None = None
    public_receipt: PublicReceipt | None = None
    exempt_until: Instant | None = None
    sealed: Mapping[str, bytes] = nothing()
    documents: tuple[CaseDocument, ...] = ()
    grants: tuple[IssuedGrant, ...] = ()
    unfiled: bool = False
    provisional: ProvisionalHold | None = None
    suit: Literal["filing", "filed"] | None = None
    suit_at: Instant | None = None
    suit_by: str | None = None
    charges: CaseCharges = CaseCharges()
    legal: LegalProcess | None = None
    denials: CaseDenials = CaseDenials()
    steps: tuple[StepNote, ...] = ()
    reopening: Reopening | None = None
    reopenings: tuple[Reopening, ...] = ()
    correspondence: Correspondence = Correspondence()
    scope: CaseScope | None = None
    searches: SearchLog = SearchLog()
    packages: CasePackages = CasePackages()
    deliveries: CaseDeliveries = CaseDeliveries()
    clearances: CaseClearances = CaseClearances()

    @property
    def exists(self) -> bool:
        """Whether there is such a case, and it is not being destroyed."""
        return self.kind is not None and self.lifecycle == "active"

    def may_become(self, state: CaseState) -> bool:
        """Whether the case may enter this state now."""
        moves = LEGAL_TRANSITIONS if self.kind == "law_enforcement" else TRANSITIONS
        return state in moves.get(self.state, ())

    def entering(self, state: CaseState) -> "CaseFile":
        """A copy in this state.

        :raises RefusedError: the case may not enter it now.
        """
        if not self.may_become(state):
            raise RefusedError("case_state", f"A case that is {self.state} cannot become {state}.")
        return replaced(self, state=state)

    @property
    def asked_at(self) -> datetime | None:
        """When its records were asked for last: its receipt, or its last reopening."""
        return self.reopenings[-1].at if self.reopenings else self.received_at

    @property
    def shelved_closed_at(self) -> datetime | None:
        """The day from which the file itself is kept; `None` while the case is open, or is being
        opened again."""
        return None if self.reopening else self.closed_at

    @property
    def last_step(self) -> tuple[CaseStep, datetime] | None:
        """The newest act of the county in this case and its time; `None` if there is no case."""
        if self.received_at is None:
            return None
        steps: list[tuple[CaseStep, datetime]] = [("received", self.received_at)]
        steps += [("document_added", each.added_at) for each in self.documents]
        steps += [("worked_on", each.changed_at) for each in self.grants]
        steps += [("worked_on", at) for at in self.charges.acts]
        steps += [("worked_on", at) for at in self.denials.acts]
        steps += [("worked_on", at) for at in self.packages.acts]
        steps += [("worked_on", at) for at in self.deliveries.acts]
        if self.closed_at is not None:
            steps.append(("closed", self.closed_at))
        for note in self.steps:
            if note.step not in (BY_THE_REQUESTER, "opened"):
                steps.append((_SHOWN_STEPS.get(note.step, "worked_on"), note.at))
        # What ends with the closing ends in the same moment, and the closing comes last.
        return max(steps, key=lambda step: (step[1], step[0] == "closed"))

    @property
    def timeline(self) -> tuple[StepNote, ...]:
        """Every step, oldest first. What was done before files kept their steps is read from what
        else the file has."""
        if self.received_at is None:
            return ()
        begins = min((note.at for note in self.steps), default=None)
        older = [
            StepNote(step="opened", state="received", actor=self.opened_by, at=self.received_at)
        ]
        older += [
            StepNote(
                step="document_added",
                state="",
                actor=each.added_by,
                at=each.added_at,
                codes=(each.kind,),
            )
            for each in self.documents
        ]
        older += [
            StepNote(
                step="grant_prepared",
                state="",
                actor=each.grant.prepared_by,
                at=each.grant.prepared_at,
                codes=(each.grant.grant_id,),
            )
            for each in self.grants
        ]
        if any(note.step == "opened" for note in self.steps):
            older = []
        kept = [each for each in older if begins is None or each.at < begins]
        return tuple(sorted((*kept, *self.steps), key=lambda each: each.at))

    def noted(self, notes: Collection[StepNote]) -> "CaseFile":
        """A copy with these steps in its timeline."""
        return replaced(self, steps=(*self.steps, *notes))

    def document(self, sha256: str) -> CaseDocument | None:
        """The document with this hash."""
        return next((each for each in self.documents if each.sha256 == sha256), None)

    def grant(self, grant_id: str) -> IssuedGrant | None:
        """The grant with this id."""
        return next((each for each in self.grants if each.grant.grant_id == grant_id), None)

    def opened(
        self,
        *,
        kind: CaseKind,
        received_at: datetime,
        opened_by: str,
        exempt_until: datetime | None,
        sealed: Mapping[str, bytes],
        provisional: ProvisionalHold,
        public_receipt: PublicReceipt | None = None,
        legal: LegalProcess | None = None,
        documents: tuple[CaseDocument, ...] = (),
    ) -> "CaseFile":
        """A copy that was received, and that stops destruction from this write on. At the gateway
        the answer is the acknowledgement, so what the public asks there is acknowledged by the same
        write. What an agency was told before there was a case is released already."""
        acknowledged = public_receipt is not None and kind == "public_records"
        state: CaseState = "acknowledged" if acknowledged else "received"
        if legal is not None and legal.told_before:
            state = "released"
        return replaced(
            self,
            kind=kind,
            state=state,
            channel="public" if public_receipt else None,
            public_receipt=public_receipt,
            received_at=received_at,
            opened_by=opened_by,
            exempt_until=exempt_until,
            sealed=sealed,
            provisional=provisional,
            unfiled=True,
            legal=legal,
            documents=documents,
        )

    def with_token(self, token_hash: str) -> "CaseFile":
        """A copy whose requester has one more token."""
        if self.public_receipt is None:
            return self
        return replaced(self, public_receipt=self.public_receipt.with_token(token_hash))

    def deposited(self, document: CaseDocument) -> "CaseFile":
        """A copy with one more document."""
        return replaced(self, documents=(*self.documents, document))

    @property
    def unanswered_since(self) -> datetime | None:
        """Since when the requester waits: when the first message came after the county's last act;
        `None` if none did."""
        step = self.last_step
        return self.correspondence.sent_after(step[1]) if step else None

    @property
    def answer_to_a_suit_since(self) -> datetime | None:
        """Since when a notice of a suit, or a suit without one, has had no answer: no message of
        the county's, and no closing; `None` if there is nothing to answer."""
        notice = self.correspondence.notice
        since = notice.received_at if notice else self.suit_at
        noted = notice.noted_at if notice else self.suit_at
        if since is None or noted is None:
            return None
        closed_since = self.closed_at is not None and self.closed_at >= noted
        answered = self.correspondence.written_after(noted) or closed_since
        return None if answered else since

    @property
    def awaits_the_county(self) -> bool:
        """Whether the requester waits for an answer to a message, or to a notice of a suit."""
        return bool(self.unanswered_since or self.answer_to_a_suit_since)

    def ended(self, outcome: CaseOutcome, at: datetime) -> "CaseFile":
        """A copy that was closed. Where nothing is left to keep, this ends what the case stopped
        provisionally, but not after a suit.

        :raises RefusedError: the case may not be closed with this outcome now.
        """
        if self.state not in CLOSED_FROM[outcome]:
            raise RefusedError(
                "case_state", f"A case that is {self.state} cannot be closed as {outcome}."
            )
        provisional = self.provisional
        standing = provisional is not None and provisional.standing
        if standing and outcome not in NOTHING_TO_KEEP:
            raise RefusedError(
                "not_identified",
                "Hold the records that were asked for first, and say that they are complete.",
            )
        if provisional is not None and standing and self.suit is None:
            provisional = provisional.ending(at)
        return replaced(
            self,
            state="closed",
            outcome=outcome,
            closed_at=at,
            unfiled=True,
            provisional=provisional,
        )

    def asked_to_reopen(self, reopening: Reopening) -> "CaseFile":
        """A copy that is being opened again. It stays closed until the inventory knows, so that
        nobody orders the destruction of an open case's file."""
        return replaced(self, reopening=reopening, unfiled=True)

    def reopened(self, reopening: Reopening) -> "CaseFile":
        """A copy that is open again, and stops destruction from this write on."""
        before = self.provisional
        provisional = ProvisionalHold(
            placed_at=reopening.at,
            bounds=reopening.bounds,
            bounds_set_at=reopening.at if reopening.bounds else None,
            bounds_set_by=reopening.by if reopening.bounds else None,
            revision=before.revision + 1 if before else 1,
        )
        return replaced(
            self,
            state=self.entering("scoping").state,
            reopening=None,
            reopenings=(*self.reopenings, reopening),
            outcome=None,
            closed_at=None,
            provisional=provisional,
        )

    def not_reopened(self) -> "CaseFile":
        """A copy that stays closed, because the destruction of its file was ordered before."""
        return replaced(self, reopening=None)

    def corresponding(self, correspondence: Correspondence) -> "CaseFile":
        """A copy with what was written."""
        return replaced(self, correspondence=correspondence)

    def scoped(self, scope: CaseScope) -> "CaseFile":
        """A copy with this scope."""
        return replaced(self, scope=scope)

    def searching(self, searches: SearchLog) -> "CaseFile":
        """A copy with these searches and minutes."""
        return replaced(self, searches=searches)

    @property
    def sealed_parts(self) -> int:
        """How many sealed values it has, in the file and in the store."""
        scope = self.scope is not None and self.scope.sealed is not None
        messages = len(self.correspondence.messages)
        stored = len(self.documents) + self.packages.objects + self.deliveries.objects
        return len(self.sealed) + stored + messages + scope

    def preserving(self, provisional: ProvisionalHold) -> "CaseFile":
        """A copy with this provisional hold."""
        return replaced(self, provisional=provisional)

    def sued(self, by: str, at: datetime) -> "CaseFile":
        """A copy about which somebody sued. Its holds are still to be changed."""
        first = self.suit_at is None
        return replaced(
            self,
            suit="filing",
            suit_at=at if first else self.suit_at,
            suit_by=by if first else self.suit_by,
        )

    def suit_filed(self) -> "CaseFile":
        """A copy all of whose holds last until a court's order."""
        return replaced(self, suit="filed")

    def charged(self, charges: CaseCharges) -> "CaseFile":
        """A copy with these fees."""
        return replaced(self, charges=charges)

    def processed(self, legal: LegalProcess) -> "CaseFile":
        """A copy with this legal process."""
        return replaced(self, legal=legal)

    def grant_in_force(self, follow_up_due_at: datetime | None) -> "CaseFile":
        """A copy in which a grant takes effect. `follow_up_due_at`: when an instrument must have
        followed, if it was granted without one."""
        if self.legal is None:
            return self
        return replaced(
            self,
            state="granted" if self.may_become("granted") else self.state,
            legal=self.legal.opened(follow_up_due_at),
        )

    def exempt(self, until: datetime) -> "CaseFile":
        """A copy about which entries are withheld until then."""
        return replaced(self, exempt_until=until)

    def with_sealed(self, name: str, sealed: bytes) -> "CaseFile":
        """A copy with one more sealed text."""
        return replaced(self, sealed={**self.sealed, name: sealed})

    def denying(self, denials: CaseDenials) -> "CaseFile":
        """A copy with these denials."""
        return replaced(self, denials=denials)

    def packaging(self, packages: CasePackages) -> "CaseFile":
        """A copy with what was collected and packaged."""
        return replaced(self, packages=packages)

    def delivering(self, deliveries: CaseDeliveries) -> "CaseFile":
        """A copy with these deliveries."""
        return replaced(self, deliveries=deliveries)

    def clearing(self, clearances: CaseClearances) -> "CaseFile":
        """A copy with these leaks and clearances."""
        return replaced(self, clearances=clearances)

    def filed(self) -> "CaseFile":
        """A copy whose dates the inventory knows."""
        return replaced(self, unfiled=False)

    def with_grant(self, issued: IssuedGrant) -> "CaseFile":
        """A copy with this grant, in place of the one with the same id."""
        same = issued.grant.grant_id
        if self.grant(same) is None:
            return replaced(self, grants=(*self.grants, issued))
        return replaced(
            self,
            grants=tuple(issued if each.grant.grant_id == same else each for each in self.grants),
        )

    def without_grants(self, end: GrantEnd) -> tuple["CaseFile", tuple[IssuedGrant, ...]]:
        """A copy in which every grant that has not ended is revoked, and those of them that were in
        force."""
        states = {each.grant.grant_id: each.state(end.revoked_at) for each in self.grants}
        ended = tuple(
            each.revoked(end) if states[each.grant.grant_id] in ("prepared", "approved") else each
            for each in self.grants
        )
        in_force = tuple(each for each in self.grants if states[each.grant.grant_id] == "approved")
        return replaced(self, grants=ended), in_force

    # What is announced about the case. Each event has the version in which the case is stored with
    # what it says.

    def recorded(
        self,
        rules: "KindRules",
        *,
        step: str,
        actor: str,
        at: datetime,
        codes: Collection[str] = (),
        counts: Mapping[str, int] | None = None,
        hashes: Mapping[str, str] | None = None,
    ) -> ev.DisclosureRecorded:
        """A step that led to this state. It says codes, counts and hashes, and nothing that was
        written."""
        return ev.DisclosureRecorded(
            case_id=self.record_id,
            version=self.version + 1,
            kind=rules.kind,
            exemption=self.exemption(rules, at),
            step=step,
            state=self.state,
            actor=actor,
            codes=tuple(codes),
            counts={
                "documents": len(self.documents),
                "grants": len(self.grants),
                **(counts or {}),
            },
            hashes=dict(hashes or {}),
            occurred_at=at,
        )

    def grant_approved(self, rules: "KindRules", issued: IssuedGrant) -> ev.DisclosureApproved:
        """A grant takes effect, when the last person approves it."""
        return ev.DisclosureApproved(
            case_id=self.record_id,
            version=self.version + 1,
            kind=rules.kind,
            exemption=self.exemption(rules, issued.approvals[-1].approval.approved_at),
            grant=issued.grant,
            approvals=tuple(each.approval for each in issued.approvals),
        )

    def grant_revoked(
        self, rules: "KindRules", grant_id: str, end: GrantEnd
    ) -> ev.DisclosureRevoked:
        """A grant ended before its time."""
        return ev.DisclosureRevoked(
            case_id=self.record_id,
            version=self.version + 1,
            kind=rules.kind,
            exemption=self.exemption(rules, end.revoked_at),
            grant_id=grant_id,
            revoked_by=end.revoked_by,
            reason=end.reason,
            revoked_at=end.revoked_at,
        )

    def exemption(self, rules: "KindRules", at: datetime) -> ev.CaseExemption:
        """Whether the case itself is exempt from inspection at that time."""
        until = self.exempt_until
        if until is None or until <= at:
            return ev.CaseExemption()
        notice = self.legal.notice if self.legal is not None else None
        return ev.CaseExemption(exempt=True, until=until, code=rules.exempt_code, notice=notice)


class KindRules(Model, extra="forbid"):
    """How cases of one kind are kept; see `data/cases.yaml`. `exempt_confirmed`: counsel has
    confirmed that such a case is exempt. Until then it is all the same: a mistake can be mended."""

    kind: CaseKind
    citation: str
    desks: tuple[str, ...]
    documents: tuple[DocumentKind, ...]
    approvers: tuple[str, ...]
    grant_days: int
    searches: tuple[Code, ...] = ()
    exempt_days: int | None = None
    exempt_code: Code | None = None
    exempt_confirmed: bool = True
    deniers: tuple[str, ...] = ()
    exemption_deniers: tuple[str, ...] = ()

    def with_approvers(self, approvers: tuple[str, ...]) -> "KindRules":
        """A copy for a case whose grants others approve."""
        return replaced(self, approvers=approvers)

    releasers: tuple[str, ...] = ()
    exemption_releasers: tuple[str, ...] = ()
    released_by: tuple[str, ...] = ()
    exigent_releasers: tuple[str, ...] = ()
    exigent_released_by: tuple[str, ...] = ()
    clearers: tuple[str, ...] = ()

    def of_process(self, legal: LegalProcess | None) -> "KindRules":
        """A copy for a case with this legal process: others approve and release what cannot wait
        for an instrument."""
        if legal is None or legal.instrument != EXIGENT_REQUEST or not self.exigent_releasers:
            return self
        return replaced(
            self,
            releasers=self.exigent_releasers,
            exemption_releasers=(),
            released_by=self.exigent_released_by,
        )

    @property
    def packagers(self) -> tuple[str, ...]:
        """The roles that build, approve or release packages of a case."""
        if not self.releasers:
            return ()
        roles = (*self.desks, *self.releasers, *self.exemption_releasers, *self.released_by)
        return tuple(dict.fromkeys(roles))

    def exempt_until(self, opened_at: datetime) -> datetime | None:
        """Until when entries about a case opened then are withheld."""
        return opened_at + timedelta(days=self.exempt_days) if self.exempt_days else None


class CaseRules(Model, extra="forbid"):
    """The kinds of cases, each once. `hold_days`: for how many days after the written request
    nobody releases the records that were asked for. `bounds_business_days`: how many business days
    a case may go without bounds. `notice_business_days`: how many the county has after a notice
    that somebody will sue. `places`, `criteria`, `work`: the codes of the search log.
    `clear_reasons`: for which reasons a leak is cleared."""

    cases: str
    version: str
    citation: str
    effective_from: date
    effective_until: date | None = None
    hold_days: int = LEAST_HOLD_DAYS
    bounds_business_days: int = 2
    notice_business_days: int = 5
    places: tuple[Code, ...]
    criteria: tuple[Code, ...]
    work: tuple[Code, ...]
    clear_reasons: tuple[Code, ...] = ()
    kinds: tuple[KindRules, ...]

    def of(self, kind: CaseKind) -> KindRules:
        """The rules of this kind."""
        return next(each for each in self.kinds if each.kind == kind)

    @property
    def desks(self) -> tuple[str, ...]:
        """Every role that has a desk."""
        return tuple(dict.fromkeys(desk for each in self.kinds for desk in each.desks))

    def kinds_at(self, roles: Collection[str]) -> tuple[CaseKind, ...]:
        """The kinds whose desk one of these roles has."""
        return tuple(each.kind for each in self.kinds if {*each.desks} & {*roles})

    @property
    def approvers(self) -> tuple[str, ...]:
        """Every role that approves grants of some kind."""
        return tuple(dict.fromkeys(role for each in self.kinds for role in each.approvers))

    @property
    def deniers(self) -> tuple[str, ...]:
        """Every role that approves denials of some kind."""
        return tuple(
            dict.fromkeys(
                role for each in self.kinds for role in (*each.deniers, *each.exemption_deniers)
            )
        )

    @property
    def releasers(self) -> tuple[str, ...]:
        """Every role that approves packages of some kind."""
        return tuple(
            dict.fromkeys(
                role
                for each in self.kinds
                for role in (
                    *each.releasers,
                    *each.exemption_releasers,
                    *each.exigent_releasers,
                )
            )
        )

    @property
    def handing_out(self) -> tuple[str, ...]:
        """Every role that releases packages of some kind."""
        return tuple(
            dict.fromkeys(
                role
                for each in self.kinds
                for role in (*(each.released_by or each.desks), *each.exigent_released_by)
            )
        )

    @property
    def clearers(self) -> tuple[str, ...]:
        """Every role that clears leaks of some kind of case."""
        return tuple(dict.fromkeys(role for each in self.kinds for role in each.clearers))

    def cleared_by(self, roles: Collection[str]) -> tuple[CaseKind, ...]:
        """The kinds whose leaks one of these roles clears."""
        return tuple(each.kind for each in self.kinds if {*each.clearers} & {*roles})

    def granted_by(self, roles: Collection[str]) -> tuple[CaseKind, ...]:
        """The kinds whose grants one of these roles prepares or approves."""
        return tuple(each.kind for each in self.kinds if {*each.desks, *each.approvers} & {*roles})


def case_problems(rules: CaseRules, people: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a file of kinds: entry, field and reason. `people`: the known roles."""
    if not LEAST_HOLD_DAYS <= rules.hold_days <= MOST_DAYS:
        yield rules.cases, "hold_days", f"must be from {LEAST_HOLD_DAYS} to {MOST_DAYS}"
    if not 0 <= rules.bounds_business_days <= 20:
        yield rules.cases, "bounds_business_days", "must be from 0 to 20"
    if not 1 <= rules.notice_business_days <= 20:
        yield rules.cases, "notice_business_days", "must be from 1 to 20"
    for field in ("places", "criteria", "work"):
        if not getattr(rules, field):
            yield rules.cases, field, "is empty"
    for kind in get_args(CaseKind):
        times = sum(each.kind == kind for each in rules.kinds)
        if times != 1:
            yield kind, "kind", "must be in the file exactly once"
    for each in rules.kinds:
        for field in ("desks", "documents", "approvers"):
            if not getattr(each, field):
                yield each.kind, field, "is empty"
        if each.exempt_days is not None and not 1 <= each.exempt_days <= MOST_DAYS:
            yield each.kind, "exempt_days", f"must be from 1 to {MOST_DAYS}"
        if not 1 <= each.grant_days <= MOST_GRANT_DAYS:
            yield each.kind, "grant_days", f"must be from 1 to {MOST_GRANT_DAYS}"
        if len(each.approvers) != len({*each.approvers}) or len(each.approvers) > MOST_APPROVERS:
            yield each.kind, "approvers", f"must be at most {MOST_APPROVERS} different roles"
        for first, more in (("deniers", "exemption_deniers"), ("releasers", "exemption_releasers")):
            roles = (*getattr(each, first), *getattr(each, more))
            if len(roles) != len({*roles}) or len(roles) > MOST_APPROVERS:
                yield each.kind, first, f"must be at most {MOST_APPROVERS} different roles"
            if getattr(each, more) and not getattr(each, first):
                yield each.kind, first, "is empty"
        exigent = each.exigent_releasers
        if bool(exigent) != bool(each.exigent_released_by) or (exigent and not each.releasers):
            yield each.kind, "exigent_releasers", "needs releasers and exigent_released_by too"
        if len(exigent) != len({*exigent}) or len(exigent) > MOST_APPROVERS:
            yield (
                each.kind,
                "exigent_releasers",
                f"must be at most {MOST_APPROVERS} different roles",
            )
        if each.released_by and not each.releasers:
            yield each.kind, "releasers", "is empty"
        for field in (
            "desks",
            "approvers",
            "deniers",
            "exemption_deniers",
            "releasers",
            "exemption_releasers",
            "released_by",
            "exigent_releasers",
            "exigent_released_by",
            "clearers",
        ):
            for role in getattr(each, field):
                if role not in people:
                    yield each.kind, field, f"{role} is not a role"
