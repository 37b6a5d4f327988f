"""Every event of Direct311, in every version that is read.

Rules: an event about a record carries `record_id` and `version`, the version of the producer's own
document when the event was emitted. It carries whole state, never a difference, so that a consumer
may drop an event older than one it has seen. No field ever holds a resident's name, contact data,
raw free text or device position. Within a version, only optional fields may be added. Every text
and list has a maximum length; readers reject anything longer.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from direct311.schemas.model import (
    Code,
    DepartmentCode,
    Few,
    Instant,
    Latitude,
    Line,
    Longitude,
    Many,
    Model,
    OnDate,
    Prose,
    RecordId,
    Sha256,
    Word,
    Words,
    replaced,
)
from direct311.schemas.secrecy import DelayedNotice, NoticeError


class RecordEvent(Model):
    """An event about exactly one record; its Kafka key is `record_id`."""

    record_id: RecordId
    version: Annotated[int, Field(ge=1)]


# ---------------------------------------------------------------- intake


class Place(Model):
    """Where the problem is, as the resident gave it or as it may be shown.

    Degrees in WGS 84. `address` is one line. All `None` for a protected request, which carries only
    its municipality (section 119.071(4)(d), F.S.).
    """

    latitude: Latitude | None = None
    longitude: Longitude | None = None
    address: Line | None = None
    address_id: Line | None = None
    municipality: Line | None = None
    zip_code: Line | None = None

    def addressed(self, address: str) -> "Place":
        """A copy with another address line."""
        return replaced(self, address=address)

    def pointed_at(
        self, at: "Place", *, address: str | None, address_id: str | None, zip_code: str | None
    ) -> "Place":
        """A copy with the same municipality, another place's point and this address."""
        return replaced(
            self,
            latitude=at.latitude,
            longitude=at.longitude,
            address=address,
            address_id=address_id,
            zip_code=zip_code,
        )


class AttributeValue(Model):
    """An answer to one of the type's questions: the attribute code and its redacted values."""

    code: Word
    values: Few[Prose]


class UploadRef(Model):
    """A file waiting in the incoming bucket. `sha256` in hex, `size` in bytes."""

    upload_id: RecordId
    size: Annotated[int, Field(ge=0)]
    sha256: Word
    content_type: Line


class Remark(Model):
    """What somebody said about a request later; `text` is redacted by rules. An event has the
    newest updates, up to 100,000 bytes of text in all; earlier events had the older ones.

    `by`: the request's reporter, or somebody else who sent the update through a client.
    """

    at: Instant
    text: Prose
    by: Literal["reporter", "client"] = "reporter"


class PolicyAgreement(Model):
    """Which version of the privacy policy applied to the submission, and how (P2)."""

    version: Word
    agreed: Literal["accepted", "by_use"]
    email_notice_version: Word | None = None

    def email_noticed(self, version: str | None) -> "PolicyAgreement":
        """A copy with the notice that was shown for an e-mail address."""
        return replaced(self, email_notice_version=version)


RequestStatus = Literal[
    "received",
    "identity_required",
    "routed",
    "in_progress",
    "on_hold",
    "referred",
    "duplicate",
    "fixed",
    "closed",
    "closed_unfounded",
    "withdrawn",
]


class RequestCreated(RecordEvent):
    """A resident's request was accepted and stored. `text` is redacted by rules.

    `emergency_assistance`: the request's type or text suggests danger to somebody's life."""

    jurisdiction_id: Word
    service_code: Word
    received_at: Instant
    place: Place
    text: Prose = ""
    attributes: Few[AttributeValue] = ()
    uploads: Few[UploadRef] = ()
    channel: Word = "app"
    status: Literal["received", "identity_required"] = "received"
    policy: PolicyAgreement
    registry_version: int = 0
    reporter_given: bool = False
    likely_repeat_of: RecordId | None = None
    emergency_assistance: bool = False


RequestChange = Literal[
    "type", "place", "place_checked", "status", "text", "merge", "withdrawal", "media"
]


class RequestUpdated(RecordEvent):
    """The current state of the request, and what changed since the previous version."""

    changed: Few[RequestChange]
    service_code: Word
    status: RequestStatus
    updated_at: Instant
    received_at: Instant
    place: Place
    place_version: int = 1
    place_checked: bool = False
    protected: bool = False
    registry_version: int = 0
    text: Prose = ""
    attributes: Few[AttributeValue] = ()
    uploads: Few[UploadRef] = ()
    duplicate_of: RecordId | None = None
    closed_at: Instant | None = None
    emergency_assistance: bool = False
    remarks: Annotated[tuple[Remark, ...], Field(max_length=1_000)] = ()


# ---------------------------------------------------------------- geo


class AddressRead(Model):
    """How geo reads the address that was given with a place.

    `known`: geo knows the street and that it has such house numbers, so the location's `address` is
    geo's own and holds none of the typed words. Only a known address may be public. `readings`:
    short forms that identify the same house however its address is written, at most 32; empty if
    the text names no house. `latitude` and `longitude` are geo's own point for the address,
    accurate to `error_m` meters, whatever point was given.
    """

    known: bool = False
    readings: Annotated[tuple[Line, ...], Field(max_length=32)] = ()
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    error_m: Annotated[float, Field(ge=0)] | None = None


class LocationResolved(RecordEvent):
    """Where a request is, or why that is not known.

    `place_version` is intake's version of the place that geo resolved. `confidence` is 0 to 1.
    `boundary_sets` maps the name of each set that geo consulted to the set's version. `read` is
    absent in events from versions of geo that did not report readings yet; then no address may be
    public.

    `because` says why geo speaks: `place` for a new place, `boundaries` if other boundary sets came
    into force for a place that geo has resolved before. Then `read` is absent, because geo keeps no
    readings, and what was said of the address before still holds.
    """

    place_version: int
    because: Literal["place", "boundaries"] = "place"
    outcome: Literal["resolved", "unresolved", "outside"]
    reason: Line | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    address: Line | None = None
    municipality: Line | None = None
    unincorporated: bool = False
    zip_code: Line | None = None
    commission_district: Word | None = None
    layers: Words = Field(default_factory=dict)
    confidence: Annotated[float, Field(ge=0, le=1)] = 0.0
    method: Literal["point", "gazetteer", "grid", "zip", "city", "none"] = "none"
    approximate: bool = False
    boundary_sets: Words = Field(default_factory=dict)
    read: AddressRead | None = None
    resolved_at: Instant

    def without_readings(self) -> "LocationResolved":
        """A copy without geo's reading of the address, for consumers that need not compare it."""
        return replaced(self, read=None)

    def because_of_boundaries(self) -> "LocationResolved":
        """A copy that says only that other boundaries are in force."""
        return replaced(self, because="boundaries", read=None)


# ---------------------------------------------------------------- media


class MediaItem(Model):
    """One upload and its outcome. `url` is the URL of the clean public copy, or `None` if there is
    none.

    `sha256` (hex), `size` (bytes), `width` and `height` (pixels) describe the public copy.
    """

    media_id: RecordId
    state: Literal["stored", "rejected", "withdrawn"]
    reason: Line | None = None
    content_type: Line | None = None
    url: Line | None = None
    size: int | None = None
    sha256: Word | None = None
    width: int | None = None
    height: int | None = None


class MediaStored(RecordEvent):
    """The originals are sealed, and any clean copies are published. `media` lists all of the
    record's files, including rejected ones."""

    media: Few[MediaItem]
    stored_at: Instant


class MediaRejected(RecordEvent):
    """A file was refused; `reason` comes from the media service's closed list."""

    media_id: RecordId
    reason: Line
    rejected_at: Instant


# ---------------------------------------------------------------- routing


class RequestRouted(RecordEvent):
    """Which department has the job, when it is due and which rule assigned it: enough to do the
    work.

    `revision` counts from 1; a later revision replaces an earlier one (new media, a corrected
    place).
    """

    request_version: int
    department: DepartmentCode
    revision: Annotated[int, Field(ge=1)]
    service_code: Word
    place: Place
    commission_district: Word | None = None
    text: Prose = ""
    attributes: Few[AttributeValue] = ()
    media: Few[MediaItem] = ()
    received_at: Instant
    routed_at: Instant
    due_on: OnDate | None = None
    rule_id: Word
    rules_version: Word
    reason: Line
    protected: bool = False
    likely_duplicates: Few[RecordId] = ()
    emergency_assistance: bool = False
    remarks: Annotated[tuple[Remark, ...], Field(max_length=1_000)] = ()


class RequestRecalled(RecordEvent):
    """The department named no longer has the job."""

    department: DepartmentCode
    reason: Line
    recalled_at: Instant


class RequestOverdue(RecordEvent):
    """The due date has passed and the job is still open."""

    department: DepartmentCode
    due_on: OnDate
    noticed_at: Instant


WorkStatus = Literal[
    "in_progress", "on_hold", "referred", "duplicate", "fixed", "closed", "closed_unfounded"
]


class DepartmentUpdate(Model):
    """What a department says about its job. `note` is for the reporter and is redacted before
    use."""

    record_id: RecordId
    department: DepartmentCode
    status: WorkStatus
    occurred_at: Instant
    note: Annotated[str, Field(max_length=4000)] = ""
    work_reference: Annotated[str, Field(max_length=100)] | None = None
    referred_to: DepartmentCode | None = None
    duplicate_of: RecordId | None = None


class UpdateAccepted(RecordEvent):
    """The department's update was accepted. `update_id` is the update's event id."""

    update_id: Word
    department: DepartmentCode
    status: WorkStatus


class UpdateRefused(Model):
    """The department's update was refused; `reason` says why, and what would be accepted."""

    record_id: RecordId
    update_id: Word
    department: DepartmentCode
    code: Literal[
        "unknown_record", "not_assigned", "wrong_department", "transition", "malformed", "held"
    ]
    reason: Line


class WorkUpdated(RecordEvent):
    """A department's answer after validation; `note` is redacted by rules."""

    update_id: Word
    department: DepartmentCode
    status: WorkStatus
    note: Prose = ""
    work_reference: Line | None = None
    duplicate_of: RecordId | None = None
    occurred_at: Instant
    accepted_at: Instant


WorkStep = Literal[
    "acknowledged",
    "assigned",
    "scheduled",
    "in_progress",
    "note",
    "waiting",
    "wrong_department",
    "referred",
    "handed_over",
    "resolved",
    "reopened",
]
WorkOutcome = Literal["fixed", "closed", "closed_unfounded", "duplicate"]
NoteAudience = Literal["public", "internal"]


class DepartmentUpdateV2(Model):
    """One step of a department's work on its job. Routing's table of updates says when each step is
    possible, and which fields it needs.

    `note` is for the reporter and is redacted before use, or, with `note_for: internal`, only for
    staff. `assigned_to` is a crew or a unit. `waiting_for`: who has to do something first.
    `referred_to` is the department that gets the job. `outcome` says how the work ended;
    `duplicate_of` is the request that this one repeats.
    """

    record_id: RecordId
    department: DepartmentCode
    step: WorkStep
    occurred_at: Instant
    note: Annotated[str, Field(max_length=4000)] = ""
    note_for: NoteAudience = "public"
    work_reference: Annotated[str, Field(max_length=100)] | None = None
    assigned_to: Annotated[str, Field(max_length=100)] | None = None
    scheduled_for: Instant | None = None
    scheduled_until: Instant | None = None
    waiting_for: Literal["reporter", "agency"] | None = None
    referred_to: DepartmentCode | None = None
    outcome: WorkOutcome | None = None
    duplicate_of: RecordId | None = None


class UpdateAcceptedV2(RecordEvent):
    """The department's update was accepted. `update_id` is the update's event id; `status` is the
    request's status after it. More steps may come; take an unknown one for a note."""

    update_id: Word
    department: DepartmentCode
    step: Code
    status: RequestStatus


class UpdateRefusedV2(Model):
    """The department's update was refused, or could not be read; `reason` says why.

    `field` is the field or the header that is wrong. `allowed` are the steps that would be
    accepted. If the message could not be read, `partition` and `offset` say where it is on
    `updates.<department>`, and `record_id` is absent; `update_id` is absent if its header is not a
    UUID. More codes may come; take an unknown one for a refusal.
    """

    record_id: RecordId | None = None
    update_id: Word | None = None
    department: DepartmentCode
    code: Code
    reason: Line
    field: Word | None = None
    allowed: Few[Code] = ()
    partition: Annotated[int, Field(ge=0)] | None = None
    offset: Annotated[int, Field(ge=0)] | None = None


class WorkUpdatedV2(RecordEvent):
    """A step of a department's work after validation; `note` is redacted by rules, and empty if it
    is internal. `status` is the request's status after it. More steps may come; take an unknown
    one for a note."""

    update_id: Word
    department: DepartmentCode
    step: Code
    status: RequestStatus
    note: Prose = ""
    note_for: NoteAudience = "public"
    work_reference: Line | None = None
    assigned_to: Line | None = None
    scheduled_for: Instant | None = None
    scheduled_until: Instant | None = None
    waiting_for: Code | None = None
    referred_to: DepartmentCode | None = None
    duplicate_of: RecordId | None = None
    occurred_at: Instant
    accepted_at: Instant


# ---------------------------------------------------------------- access to personal information

AccessAction = Literal[
    "search",
    "list",
    "view",
    "export",
    "print",
    "disclose",
    "redact",
    "correct",
    "seal",
    "hold",
    "destroy",
    "key_use",
    "policy_change",
    "log_read",
    "sign_in",
    "void",
]
AccessOutcome = Literal["success", "denied", "error", "partial"]


class AccessTime(Model):
    """`occurred_at`: when the access was requested, by the service's clock. `observed_at`: when the
    event was made; it is later only if several accesses were counted in one event. The log says
    when the event was logged. `producer` is the service plus a UUIDv7 made when the process
    started, and `sequence` counts its access events from 1 without a gap."""

    occurred_at: Instant
    observed_at: Instant | None = None
    producer: Word
    sequence: Annotated[int, Field(ge=1)]


class AccessAgent(Model):
    """Who: `id` is the token's subject, never a name or an address. `on_behalf_of`: the service
    that passed on this person's request. `session`: the token's id, so that everything a stolen
    credential touched can be found. `break_glass`: the purpose requires a review afterwards.

    All of this is what the service claims. `issuer` and `jti` say which identity provider's token
    it saw, so that an investigator can ask the provider whose token that was. Neither a link nor a
    service acting on its own has a token.
    """

    id: Line
    roles: Few[Line] = ()
    department: Line | None = None
    on_behalf_of: Line | None = None
    authentication: Literal["oidc", "service", "signed_link", "api_key", "none"] = "oidc"
    session: Line | None = None
    break_glass: bool = False
    issuer: Line | None = None
    jti: Line | None = None


class AccessWhere(Model):
    """`client_address`: keyed hash of the network address, under a key that the process makes new
    each day and never stores. It distinguishes two sources on the same day, and identifies
    neither."""

    service: Word
    instance: Line
    service_version: Word
    operation: Line
    client_address: Word | None = None


class AccessWhy(Model):
    """`justification` and `reference` are the caller's own words with numbers and contact data
    masked. `case_id` is a disclosure case in the register. `notice_version` is the privacy notice
    under which the record was collected."""

    purpose: Line | None = None
    reference: Prose | None = None
    case_id: Line | None = None
    legal_basis: Line | None = None
    justification: Prose | None = None
    notice_version: Word | None = None


class AccessWhat(Model):
    """`record_ids`: at most 100. `query_fields` and `query_hmac` are set only for a search.
    `sensitivity`: `contact` if a field can reach or locate the person, else `content`.
    `result_count` of a failed sign-in: how many failed from the same source in the same minute,
    which is also the event's `count`."""

    record_ids: Annotated[tuple[RecordId, ...], Field(max_length=100)] = ()
    fields: Many[Word] = ()
    sensitivity: Literal["contact", "content"] | None = None
    lifecycle: Word | None = None
    version_seen: int | None = None
    query_fields: Many[Word] = ()
    query_hmac: Line | None = None
    result_count: int | None = None
    redactions: Many[Word] = ()


class AccessDecision(Model):
    """Which rule set decided, and which rule in it; `policy_hash` is the SHA-256 (hex) of its
    file."""

    policy_hash: Word
    rule: Line
    reason: Line | None = None
    obligations: Many[Word] = ()


class AccessCorrelation(Model):
    trace_id: Word | None = None
    cause: Word | None = None


class AccessRetention(Model):
    """GS1-SL 393: an entry is kept as long as the record that it relates to. `exempt_until`: until
    then, the entry is withheld from ordinary auditors (section 119.071(2)(c), F.S.)."""

    series: Word = "393"
    related_record: RecordId | None = None
    exempt_until: Instant | None = None


class PiiAccessed(Model):
    """An access to personal information, recorded before it happens. Always signed.

    `success` means authorized. If the fetch then fails, a second event has the first one's id as
    `correlation.cause`; its outcome is `partial` if part of the data was delivered. Contains no
    value of a personal field and no hash of a person.

    `void` fills the number of an event that could not be sent, so that a gap in the numbers is
    never an accident. The access it would have reported did not happen. The unsent event may still
    arrive; it opened nothing.

    `count`: how many accesses the event stands for; `None` means one. Only refusals and failed
    sign-ins are counted together. The event that counts a refusal's repeats has the first refusal's
    id as `correlation.cause`, and does not count the first one.
    """

    action: AccessAction
    outcome: AccessOutcome
    time: AccessTime
    agent: AccessAgent
    where: AccessWhere
    why: AccessWhy
    what: AccessWhat
    decision: AccessDecision
    recipient: Line | None = None
    count: Annotated[int, Field(ge=1)] | None = None
    correlation: AccessCorrelation = AccessCorrelation()
    retention: AccessRetention = AccessRetention()


# ---------------------------------------------------------------- retention

HoldKind = Literal[
    "litigation",
    "anticipated_litigation",
    "audit",
    "investigation",
    "public_records_request",
    "court_order",
    "other",
]


class RecordExpired(RecordEvent):
    """The record is eligible for disposition. Nothing is destroyed by this event."""

    items: Few[Word]
    decided_by: Line
    trigger: Line
    trigger_on: OnDate
    eligible_on: OnDate
    schedule_version: Word


class HoldPlaced(RecordEvent):
    hold_id: RecordId
    kind: HoldKind
    authority: Line
    placed_at: Instant


class HoldReleased(RecordEvent):
    hold_id: RecordId
    released_at: Instant
    still_held: bool


RecordAct = Literal["hold", "release", "propose", "approve", "reject", "order", "outcome"]


class ActRecorded(Model):
    """An act that decides about records: a hold, its release, a disposition set that was proposed,
    approved, rejected or ordered, an outcome of the work. Always signed. Written in the same write
    as the act, so there is neither without the other.

    An act on more than 100 records is several events: `part` of `parts`, with the same `act_id`.
    `about` is the id of the hold or of the disposition set, or the record whose outcome it is;
    `records` counts the records of all parts. A hold by a query names no record: `criteria` are the
    names of the query's fields, and `scope_hash` is the SHA-256 (hex) of the query. `order` is what
    retention itself does after an approval: its records are those that were ordered, and `left_out`
    counts the others.

    `why` has the authority of a hold as its `reference`, the reason of a release or rejection as
    its `justification` (masked as in an access), and the case of a hold that serves one. Such a
    hold says no authority and no kind, so that holds for all kinds of cases read the same.
    """

    act: RecordAct
    act_id: RecordId
    about: RecordId
    part: Annotated[int, Field(ge=1)] = 1
    parts: Annotated[int, Field(ge=1)] = 1
    records: Annotated[int, Field(ge=0)] = 0
    record_ids: Annotated[tuple[RecordId, ...], Field(max_length=100)] = ()
    agent: AccessAgent
    why: AccessWhy
    hold_kind: HoldKind | None = None
    criteria: Few[Word] = ()
    scope_hash: Word | None = None
    set_hash: Word | None = None
    left_out: Annotated[int, Field(ge=0)] = 0
    outcome: Word | None = None
    closed_on: OnDate | None = None
    occurred_at: Instant

    def named(
        self, record_ids: tuple[str, ...], part: int, parts: int, records: int
    ) -> "ActRecorded":
        """A copy that is one part of the act, about these records."""
        return replaced(self, record_ids=record_ids, part=part, parts=parts, records=records)


Holder = Literal["intake", "media", "geo", "routing", "retention", "audit"]
"""Who destroys a part of a record. Retention holds case files, and nothing of a request."""


class DispositionOrdered(RecordEvent):
    """Only this event makes a holder destroy its part. Two different people decided it."""

    order_id: RecordId
    items: Few[Word]
    holders: Few[Holder]
    custodian: Line
    records_officer: Line
    ordered_at: Instant


class RecordDestroyed(Model):
    """A holder's signed receipt. Counts are zero if it held nothing.

    `recoverable_until`: when the last copy in this holder's logs and backups is gone.
    """

    record_id: RecordId
    order_id: RecordId
    holder: Holder
    documents: int
    fields: int
    objects: int
    bytes: int
    keys: int
    manner: Line
    destroyed_at: Instant
    recoverable_until: Instant


class DispositionCertified(Model):
    """The certificate of rule 1B-24.003(9)(d), F.A.C., for one order.

    `sha256` is the hash of the certificate document; supplements have `supplement_to`.
    """

    certificate_id: RecordId
    order_id: RecordId
    record_ids: Many[RecordId]
    schedule_number: Word
    item_number: Word
    series_title: Line
    inclusive_dates: tuple[OnDate, OnDate]
    volume_records: int
    volume_bytes: int
    manner: Line
    disposed_on: OnDate
    recoverable_until: Instant
    sha256: Word
    supplement_to: RecordId | None = None
    certified_at: Instant


# ---------------------------------------------------------------- disclosure cases

MOST_IN_A_GRANT = 500
"""The most records, and the most files, that one grant may name."""

DisclosureKind = Literal["public_records", "law_enforcement"]
"""What a grant is for; the purpose of every access under it is the same word."""

CaseKind = Literal["public_records", "law_enforcement", "referral"]
"""A referral is a disclosure to law enforcement on the county's own motion."""


class CaseExemption(Model):
    """Whether the case itself is exempt from inspection now, such as an active investigation
    (section 119.071(2)(c), F.S.).

    `until`: when the exemption ends unless a later event ends or prolongs it; there is one whenever
    the case is exempt. `code` names the exemption in the county's list. `notice`: the document that
    delays the notice to the subject, if the exemption rests on one; then it ends with the delay at
    the latest. A case that is exempt because it is active has none.
    """

    exempt: bool = False
    until: Instant | None = None
    code: Code | None = None
    notice: DelayedNotice | None = None

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.exempt and self.until is None:
            raise ValueError("an exemption needs an end")
        if self.notice is None:
            return self
        if not self.exempt or self.until is None:
            raise ValueError("only the notice of an exempt case is delayed")
        if self.until > self.notice.until:
            raise ValueError("an exemption ends with the delay of its notice")
        return self

    def check_after(self, before: "CaseExemption") -> None:
        """Whether a case of which `before` was true may say this.

        Once a document delays the notice, only another document moves the end.

        :raises NoticeError: it may not.
        """
        if before.notice is None or not self.exempt:
            return
        if self.notice is None:
            raise NoticeError("a notice that was delayed by a document stays delayed by one")
        if self.notice.until > before.notice.until:
            before.notice.extended(self.notice)

    def after(self, before: "CaseExemption") -> "CaseExemption":
        """What is true of a case that says this after `before`: this, or `before` still, if it may
        not say this."""
        try:
            self.check_after(before)
        except NoticeError:
            return before
        return self


class DisclosureEvent(Model):
    """An event about one disclosure case; its Kafka key is `case_id`. `version` counts what
    retention said about the case. `exemption` is the case's own, as it is now."""

    case_id: RecordId
    version: Annotated[int, Field(ge=1)]
    kind: CaseKind
    exemption: CaseExemption = CaseExemption()

    @property
    def purpose(self) -> DisclosureKind:
        """The purpose of accesses for this case."""
        return "public_records" if self.kind == "public_records" else "law_enforcement"


class DisclosureRecorded(DisclosureEvent):
    """A step of a case: which, by whom, and the resulting state. No text and no names: `codes`,
    `counts` and `hashes` (SHA-256, hex) say the rest by the names of the step."""

    step: Code
    state: Code
    actor: Line
    codes: Few[Code] = ()
    counts: Annotated[dict[Code, int], Field(max_length=100)] = Field(default_factory=dict)
    hashes: Annotated[dict[Code, Sha256], Field(max_length=100)] = Field(default_factory=dict)
    occurred_at: Instant


class GrantedSearch(Model):
    """At most `number` searches of this kind. The event never has what is sought."""

    kind: Code
    number: Annotated[int, Field(ge=1, le=1_000)]


class DisclosureGrant(Model):
    """What may be searched and opened for a case, and by whom: exactly what the approvers approved.

    `record_ids` and `file_ids`: at most 500 of each. `fields` are names of sealed fields. `workers`
    and `prepared_by` are subjects of tokens. It applies from the event's time until `valid_until`.
    """

    grant_id: RecordId
    case_id: RecordId
    kind: DisclosureKind
    record_ids: Annotated[tuple[RecordId, ...], Field(max_length=MOST_IN_A_GRANT)] = ()
    file_ids: Annotated[tuple[RecordId, ...], Field(max_length=MOST_IN_A_GRANT)] = ()
    fields: Few[Word] = ()
    searches: Annotated[tuple[GrantedSearch, ...], Field(max_length=20)] = ()
    workers: Annotated[tuple[Line, ...], Field(min_length=1, max_length=50)]
    prepared_by: Line
    prepared_at: Instant
    valid_until: Instant


class Approval(Model):
    """One person's approval by a fresh sign-in (OpenID Connect Core 1.0, section 3.1.2.1).

    `approver` is the subject of `id_token`, the identity provider's ID token, whose `nonce` is the
    hash of what is approved. `key`: the provider's public key (JWK, RFC 7517) that signed the
    token, so that the approval can be checked when the provider no longer publishes the key.
    """

    approver: Line
    approved_at: Instant
    id_token: Annotated[str, Field(max_length=8_000)]
    key: Annotated[dict[Word, Line], Field(max_length=20)]


Approvals = Annotated[tuple[Approval, ...], Field(min_length=1, max_length=5)]


class DisclosureApproved(DisclosureEvent):
    """A grant: people other than the one who prepared it approved it. `prepared_by`, `approver` and
    workers are subjects of tokens."""

    grant: DisclosureGrant
    approvals: Approvals

    @model_validator(mode="after")
    def _of_one_case(self) -> Self:
        if (self.grant.case_id, self.grant.kind) != (self.case_id, self.purpose):
            raise ValueError("the grant is another case's, or another kind's")
        return self


class DisclosureRevoked(DisclosureEvent):
    """A grant ended before its time. `reason` is a code."""

    grant_id: RecordId
    revoked_by: Line
    reason: Code
    revoked_at: Instant


class DisclosureReleased(DisclosureEvent):
    """A package went out. `package`: its SHA-256 (hex), which the approvers approved. `recipient`:
    the class of the recipient, as a code."""

    package: Sha256
    counts: Annotated[dict[Code, int], Field(max_length=100)] = Field(default_factory=dict)
    recipient: Code
    released_by: Line
    approvals: Approvals
    released_at: Instant


# ---------------------------------------------------------------- audit


class AuditAlarm(Model):
    """Something an operator must look at. `about` is the id of a producer, record or event.

    `bad_signature`, `rate_limited` and `failed_sign_ins` remain for readers of older events;
    nothing raises them now. An unsigned event becomes a dead letter; the other two are entries and
    metrics.
    """

    kind: Literal[
        "bad_signature",
        "sequence_gap",
        "unlogged_fetch",
        "tree_mismatch",
        "unusual_volume",
        "checkpoint_age",
        "forked_view",
        "index_mismatch",
        "rate_limited",
        "failed_sign_ins",
        "destruction_refused",
        "opening_unexplained",
    ]
    about: Line
    detail: Prose
    raised_at: Instant
