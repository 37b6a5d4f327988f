"""Every event of Direct311, version 1 of each.

Rules: an event about a record carries `record_id` and `version`, the version of the producer's own
document when it was emitted; it carries whole state, never a difference, so that a consumer may
drop what is older than what it has seen. No field ever holds a resident's name, contact data, raw
free text or device position. Within a version only optional fields may be added. No text and no
list is without an end: what is longer than any of ours is no event.
"""

from typing import Annotated, Literal

from pydantic import Field

from direct311.schemas.model import (
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
    Word,
    Words,
    replaced,
)


class RecordEvent(Model):
    """An event about exactly one record; its Kafka key is `record_id`."""

    record_id: RecordId
    version: Annotated[int, Field(ge=1)]


# ---------------------------------------------------------------- intake


class Place(Model):
    """Where the problem is, as the resident gave it or as it may be shown.

    Degrees in WGS 84. `address` is one line. All `None` for a protected request, which carries its
    municipality alone (section 119.071(4)(d), F.S.).
    """

    latitude: Latitude | None = None
    longitude: Longitude | None = None
    address: Line | None = None
    address_id: Line | None = None
    municipality: Line | None = None
    zip_code: Line | None = None

    def addressed(self, address: str) -> "Place":
        """The same with another address line."""
        return replaced(self, address=address)

    def pointed_at(
        self, at: "Place", *, address: str | None, address_id: str | None, zip_code: str | None
    ) -> "Place":
        """The same municipality, with the point of another place and this address."""
        return replaced(
            self,
            latitude=at.latitude,
            longitude=at.longitude,
            address=address,
            address_id=address_id,
            zip_code=zip_code,
        )


class AttributeValue(Model):
    """An answer to one of the type's questions: attribute code and its values, redacted."""

    code: Word
    values: Few[Prose]


class UploadRef(Model):
    """A file that waits in the incoming bucket. `sha256` in hex, `size` in bytes."""

    upload_id: RecordId
    size: Annotated[int, Field(ge=0)]
    sha256: Word
    content_type: Line


class Remark(Model):
    """What was said of a request later; `text` is redacted by rules. An event has the newest, with
    100,000 bytes of text in all; what is older was in earlier events.

    `by`: its reporter, or somebody else who sent it through a client.
    """

    at: Instant
    text: Prose
    by: Literal["reporter", "client"] = "reporter"


class PolicyAgreement(Model):
    """Which version of the privacy policy the submission was taken under, and how (P2)."""

    version: Word
    agreed: Literal["accepted", "by_use"]
    email_notice_version: Word | None = None

    def email_noticed(self, version: str | None) -> "PolicyAgreement":
        """The same with the notice that was shown for an e-mail address."""
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

    `emergency_assistance`: its type or its text suggests danger to somebody's life."""

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
    """The request as it now stands, and what has changed since the version before."""

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
    """What geo makes of the address that was given with a place.

    `known`: geo knows the street, and that it has such house numbers, so that the location's
    `address` is geo's own and none of the words that were typed. Only such a one may be public.
    `readings`: the short forms by which the same house is known however it is written, at most 32;
    empty where the text names no house. `latitude` and `longitude` are geo's own point for the
    address, within `error_m` metres, whatever point was given.
    """

    known: bool = False
    readings: Annotated[tuple[Line, ...], Field(max_length=32)] = ()
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    error_m: Annotated[float, Field(ge=0)] | None = None


class LocationResolved(RecordEvent):
    """Where a request lies, or why that is not known.

    `place_version` is the intake's version of the place that was resolved. `confidence` is 0 to 1.
    `boundary_sets` maps the name of each set that was consulted to its version. `read` is absent
    where geo was of before it told its readings; then no address may be public.
    """

    place_version: int
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
        """The same without what geo read of the address, for whoever need not compare it."""
        return replaced(self, read=None)


# ---------------------------------------------------------------- media


class MediaItem(Model):
    """One upload and its outcome. `url` is the clean public copy's, or `None` where there is none.

    `sha256` (hex), `size` (bytes), `width` and `height` (pixels) are those of the public copy.
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
    """Originals are sealed; clean copies are published where there are any. `media` is the whole
    list of the record's files, also those rejected."""

    media: Few[MediaItem]
    stored_at: Instant


class MediaRejected(RecordEvent):
    """A file was refused; `reason` is of the closed list of the media service."""

    media_id: RecordId
    reason: Line
    rejected_at: Instant


# ---------------------------------------------------------------- routing


class RequestRouted(RecordEvent):
    """Which department has the job, by when and by which rule: enough to do the work.

    `revision` counts from 1; a later revision replaces the earlier one (media, a moved place).
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
    """The due date has passed and the job is open."""

    department: DepartmentCode
    due_on: OnDate
    noticed_at: Instant


WorkStatus = Literal[
    "in_progress", "on_hold", "referred", "duplicate", "fixed", "closed", "closed_unfounded"
]


class DepartmentUpdate(Model):
    """What a department says of its job. `note` is for the reporter and is redacted before use."""

    record_id: RecordId
    department: DepartmentCode
    status: WorkStatus
    occurred_at: Instant
    note: Annotated[str, Field(max_length=4000)] = ""
    work_reference: Annotated[str, Field(max_length=100)] | None = None
    referred_to: DepartmentCode | None = None
    duplicate_of: RecordId | None = None


class UpdateAccepted(RecordEvent):
    """The department's update was taken. `update_id` is the update's event id."""

    update_id: Word
    department: DepartmentCode
    status: WorkStatus


class UpdateRefused(Model):
    """The department's update was not taken; `reason` says why and what would be right."""

    record_id: RecordId
    update_id: Word
    department: DepartmentCode
    code: Literal[
        "unknown_record", "not_assigned", "wrong_department", "transition", "malformed", "held"
    ]
    reason: Line


class WorkUpdated(RecordEvent):
    """A department's answer after checks; `note` is redacted by rules."""

    update_id: Word
    department: DepartmentCode
    status: WorkStatus
    note: Prose = ""
    work_reference: Line | None = None
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
    """`occurred_at`: when it was asked for, by the service's clock; `observed_at`: when the event
    was made, later only where many were counted into one. When it was logged, the log says.
    `producer` is service plus a UUIDv7 of its start, and `sequence` counts its access events from 1
    without a gap."""

    occurred_at: Instant
    observed_at: Instant | None = None
    producer: Word
    sequence: Annotated[int, Field(ge=1)]


class AccessAgent(Model):
    """Who: `id` is the token's subject, never a name or an address. `on_behalf_of`: the service
    that brought this person's request. `session`: the token's id, so that all that a stolen
    credential touched can be found. `break_glass`: under a purpose that a review must follow.

    All of it is the service's word. `issuer` and `jti` say which token of which identity provider
    it saw, so that the provider can be asked whose that was; a link has none, nor has a service on
    its own.
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
    """`client_address`: keyed hash of the network address, under a key that the process makes anew
    each day and never stores: it tells two sources of a day apart, and names neither."""

    service: Word
    instance: Line
    service_version: Word
    operation: Line
    client_address: Word | None = None


class AccessWhy(Model):
    """`justification` and `reference` are the caller's own words with numbers and contact data
    masked; `case_id` is a disclosure case of the register; `notice_version` the privacy notice
    under which the record was collected."""

    purpose: Line | None = None
    reference: Prose | None = None
    case_id: Line | None = None
    legal_basis: Line | None = None
    justification: Prose | None = None
    notice_version: Word | None = None


class AccessWhat(Model):
    """`record_ids`: at most 100. `query_fields` and `query_hmac` speak of a search alone.
    `sensitivity`: `contact` where a field reaches or locates the person, else `content`.
    `result_count` of a failed sign-in: how many there were in its minute from its source, as
    `count` of the event says too."""

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
    """Which set of rules decided, and which of them; `policy_hash` is SHA-256 (hex) of its file."""

    policy_hash: Word
    rule: Line
    reason: Line | None = None
    obligations: Many[Word] = ()


class AccessCorrelation(Model):
    trace_id: Word | None = None
    cause: Word | None = None


class AccessRetention(Model):
    """GS1-SL 393: an entry lives as long as the record that it relates to. `exempt_until`: until
    then the entry is withheld from ordinary auditors (section 119.071(2)(c), F.S.)."""

    series: Word = "393"
    related_record: RecordId | None = None
    exempt_until: Instant | None = None


class PiiAccessed(Model):
    """An access to personal information, written down before it happens. Always signed.

    `success` means authorised: a fetch that then fails sends a second event with the first one's
    id as `correlation.cause`, outcome `partial` where a part was handed out. Holds no value of
    a personal field and no hash of a person.

    `void` fills the number of an event that could not be sent, so that a gap in the numbers is
    never an accident; what it would have told did not happen. The event itself may still arrive:
    then it opened nothing.

    `count`: how many it stands for, `None` for itself alone. Refusals and failed sign-ins alone are
    counted together; the event of a refusal's repeats has the first one's id as
    `correlation.cause`, and does not count that one.
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


class HoldRequested(Model):
    """Audit asks for a hold on behalf of a public-records case (section 119.07(1)(h), F.S.)."""

    hold_id: RecordId
    kind: HoldKind
    authority: Line
    case_id: Line
    record_ids: Many[RecordId]
    requested_at: Instant


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


Holder = Literal["intake", "media", "geo", "routing", "audit"]


class DispositionOrdered(RecordEvent):
    """This alone makes a holder destroy its part. Two different persons stand behind it."""

    order_id: RecordId
    items: Few[Word]
    holders: Few[Holder]
    custodian: Line
    records_officer: Line
    ordered_at: Instant


class RecordDestroyed(Model):
    """A holder's signed receipt. Counts are zero where it held nothing.

    `recoverable_until`: when the last copy in logs and backups of this holder is gone.
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

    `sha256` is the certificate document's; supplements have `supplement_to`.
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


# ---------------------------------------------------------------- audit


class DisclosureApproved(Model):
    case_id: RecordId
    kind: Literal["public_records", "law_enforcement"]
    record_ids: Many[RecordId]
    fields: Many[Word]
    approved_by: Few[Line]
    approved_at: Instant


class DisclosureReleased(Model):
    case_id: RecordId
    record_ids: Many[RecordId]
    released_by: Line
    released_at: Instant


class AuditAlarm(Model):
    """Something that an operator must look at. `about` is an id of a producer, record or event.

    `bad_signature`, `rate_limited` and `failed_sign_ins` are kept for readers of older events, and
    raised by nobody: what is not signed is a dead letter, the others are entries and metrics.
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
    ]
    about: Line
    detail: Prose
    raised_at: Instant
