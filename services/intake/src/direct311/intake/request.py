"""A service request as intake stores it, and its changes."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Literal, TypeVar

from direct311.intake.catalogue.domain.types import Delivery
from direct311.intake.language import Language
from direct311.runtime.messaging.state import Outgoing, RecordState
from direct311.schemas import Instant, Model, OnDate, nothing, replaced
from direct311.schemas import events as ev

T = TypeVar("T")

NAME_AND_ADDRESS = frozenset({"first_name", "last_name", "reporter_address"})
"""What a complaint to code enforcement must have (sections 125.69, 162.06 and 162.21, F.S.)."""
CLOSED: frozenset[ev.RequestStatus] = frozenset(
    {"duplicate", "fixed", "closed", "closed_unfounded", "withdrawn"}
)
"""Extended statuses that Open311 calls `closed`; a reference to another body stays open."""


SuspicionFlag = Literal["repeat_content", "repeat_image", "burst"]
"""Why staff should look at a request: the same content within a day, one of its files within a
week, or one of many from the same sender within minutes. No flag refuses anything."""

UPDATES = "updates"
"""The sealed field with the comments as sent: a JSON object by update id."""
UPDATE_CONTACTS = "update_contacts"
"""The sealed field with their senders, in the same format. Only older records have it, and nothing
is added to it. It is not the reporter's data, so it is not in the reporter's own view."""

WORK_NOTES = "work_notes"
"""The sealed field with the departments' notes as they wrote them: a JSON object by department and
update id. They are not the reporter's data either."""

SENDERS = "senders"
"""The kind of the index values of comment senders, in the same records. It is separate from the
reporter's: the request is not theirs, and a search does not find it by them. The registry uses
it."""

SUPERSEDED = "earlier"
"""The kind of the index values of corrected fields that the registry protects: a search no longer
finds the request by them, but the registry still recognizes it."""


ContactWay = Literal["email", "phone", "text"]
"""How a reporter may be reached, if they consent to it."""


BY_RESIDENTS = ("comment", "reporter")
"""Kinds of notes that residents wrote."""

REMARKS_BYTES = 100_000
"""The most text of remarks in one event. A request may have 150 remarks of 4,000 characters, and
the broker accepts a megabyte; earlier events had the older ones."""

STEPS_REMEMBERED = 40
CORRECTIONS_REMEMBERED = 20
"""How many of its reporter's steps and corrections a request remembers, to recognize a retry."""

_BY: Mapping[str, Literal["reporter", "client"]] = {"comment": "client", "reporter": "reporter"}


class Note(Model):
    """One line of a request's public history. `text` is redacted; a comment's text, which a
    resident wrote, shows only if the type's own text does. Of kind `reporter`: what the reporter of
    this request added by its link; shown as a comment is.

    `at`: when it was written here, so that a query for news since then misses none; `occurred_at`:
    when it happened, if that was stated. `update_id` is unique; without one, the note's place in
    the history serves. `said`: a comment's status in its client's words, which changes nothing.
    `mark` and `content` are keyed hashes of the client's id for a comment and of what was sent
    under it, and `by` is a keyed hash of the client's own id; older comments have none.
    """

    at: Instant
    kind: Literal["status", "comment", "notice", "reporter"]
    status: ev.RequestStatus | None = None
    text: str = ""
    occurred_at: Instant | None = None
    update_id: str = ""
    said: str | None = None
    mark: str = ""
    content: str = ""
    by: str = ""

    def without_status(self) -> "Note":
        """A copy that only says something: it changes no status."""
        return replaced(self, kind="notice", status=None)


class Located(Model):
    """What geo found, as far as intake shows it. Degrees in WGS 84.

    `address_known`: geo knows street and range, and the address is its own, not what was typed.
    `method`: how geo found it; `confidence`: 0 to 1. Requests that were located earlier have
    neither.
    """

    outcome: Literal["resolved", "unresolved", "outside"]
    latitude: float | None = None
    longitude: float | None = None
    address: str | None = None
    address_known: bool = False
    municipality: str | None = None
    zip_code: str | None = None
    commission_district: str | None = None
    approximate: bool = False
    method: str | None = None
    confidence: float | None = None

    def reread(self, address: str | None, *, known: bool) -> "Located":
        """A copy with the address as geo reads it now."""
        return replaced(self, address=address, address_known=known)


class Correction(Model):
    """Notes that the resident gave new values for contact fields: when and for which, without the
    values.

    `mark` is the key digest, a keyed hash of the retry's idempotency key; `content` is a keyed hash
    of what was sent under it. Both are empty if no key was sent.
    """

    at: Instant
    fields: tuple[str, ...]
    mark: str = ""
    content: str = ""


class Step(Model):
    """Notes that the reporter did something later with the signed link: when and what.

    `mark` is the key digest, a keyed hash of the retry's idempotency key; `content` is a keyed hash
    of what was sent under it.
    """

    at: Instant
    kind: Literal["comment", "media", "withdrawal", "notifications"]
    mark: str
    content: str


class WorkNote(Model):
    """Notes that a department's note is sealed with the request. `mark`: its department and update
    id; `content`: a keyed hash of what was sealed under it."""

    mark: str
    content: str


class Notifications(Model):
    """The reporter asked for e-mails about news, in this language."""

    language: Language
    since: Instant


READINGS = 4
"""The version of the rules that turn typed text into index values. A change that gives a value
other readings raises it, and `keys reindex` redoes values made under older rules."""


class PendingMail(Model):
    """A message about news that has not been sent yet. `tries`: how often sending failed.

    `since`: when its newest news arrived; `latest`: how that would have been sent if nothing else
    had been waiting.
    """

    mail_id: str
    since: Instant
    tries: int = 0
    latest: str | None = None

    def followed(self, mail_id: str, at: datetime) -> "PendingMail":
        """A copy that includes newer news."""
        return replaced(self, since=at, latest=mail_id)

    def tried(self) -> "PendingMail":
        """A copy after one more try."""
        return replaced(self, tries=self.tries + 1)


EditedPart = Literal["type", "attributes", "place"]
MOST_EDITS = 200
"""The most edits of one request."""


class StaffEdit(Model):
    """What somebody on the staff changed: when, who, why, and what it was before.

    `number` counts the request's edits from 1. `content`: a keyed hash of what was asked for, which
    recognizes a retry. `service_code` and `attributes` are those before a change of the type or of
    answers; `place` is the one before a change of the place, as it was given.
    """

    number: int
    at: Instant
    by: str
    roles: tuple[str, ...] = ()
    department: str | None = None
    reason: str
    changed: tuple[EditedPart, ...]
    content: str = ""
    service_code: str | None = None
    attributes: tuple[ev.AttributeValue, ...] | None = None
    place: ev.Place | None = None


NoticesReader = Literal["agent", "interpreter", "recording"]
"""Who reads the notices to somebody who calls or comes to the counter."""


class CallTaken(Model):
    """Staff took the request from somebody who called or came to the counter. `by`: who took it;
    `language` and `notices_read_by`: how the notices were read aloud. Their versions are in the
    request's `policy`."""

    by: str
    language: Language
    notices_read_by: NoticesReader


class BreachNoticeSent(Model):
    """The reporter was told of a breach by e-mail. `notice_id`: which breach."""

    notice_id: str
    at: Instant


class ServiceRequest(RecordState):
    """One request. Everything personal is in `sealed`; `indexes` are keyed hashes of it, by kind.

    `index_readings`: the version of `READINGS` under which those values were made.
    `index_versions`: the versions of the keys that made them, empty if not recorded or if the
    reporter's own address was indexed without geo; `keys reindex` redoes both. `idempotency` is
    unique among all requests; `fingerprint` is a keyed hash of the content. `retry_opens`: its key
    cannot be guessed, so a retry may be answered with a link. `images` are keyed hashes of its
    files. `marked_at` is set if there are `marks`. `home_unread_at`: when the reporter's own
    address was indexed without geo, which has not read it since. Until then it is unknown whether
    the home is protected, so the request is `protected`. `listed`: shown in public lists.
    `place_version` counts the place's changes. `read`: how geo reads the given
    address and address id; only the registry uses it. `delivery`: what the type promised when the
    request was accepted, or `blackbox` since staff gave it such a type. `token`: unique among all
    requests; only a batch request has one. `contact_by`: how the reporter consented to be
    contacted, `None` if not asked. `mail_after`: when to try `mail` next. `edits`: what staff
    changed; its length counts as the version for staff, because `version` also moves when a service
    says something. `routed_from`: the version from which a routing counts; an earlier one is from
    before the job was taken back. `retyped_at`: when staff last changed the type. `reopens_held`:
    it was closed when staff gave it a type that needs a reporter with name and address, and had
    none. `call`: who took it, if it did not come through a front end; only staff see that.
    """

    client_id: str = ""
    idempotency: str | None = None
    retry_opens: bool = False
    fingerprint: str = ""
    jurisdiction_id: str = ""
    service_code: str = ""
    received_at: Instant | None = None
    updated_at: Instant | None = None
    closed_at: Instant | None = None
    channel: str = "app"
    status: ev.RequestStatus = "received"
    held_because: str | None = None
    place: ev.Place = ev.Place()
    place_version: int = 1
    text: str = ""
    attributes: tuple[ev.AttributeValue, ...] = ()
    sealed: Mapping[str, bytes] = nothing()
    indexes: Mapping[str, tuple[str, ...]] = nothing()
    index_versions: tuple[int, ...] = ()
    index_readings: int = 1
    home_unread_at: Instant | None = None
    uploads: tuple[ev.UploadRef, ...] = ()
    media: tuple[ev.MediaItem, ...] = ()
    policy: ev.PolicyAgreement | None = None
    registry_version: int = 0
    located: Located | None = None
    read: ev.AddressRead | None = None
    place_checked: bool = False
    protected: bool = False
    listed: bool = False
    department: str | None = None
    due_on: OnDate | None = None
    duplicate_of: str | None = None
    likely_repeat_of: str | None = None
    delivery: Delivery = "realtime"
    token: str | None = None
    images: tuple[str, ...] | None = None
    marks: tuple[SuspicionFlag, ...] = ()
    marked_at: Instant | None = None
    notes: tuple[Note, ...] = ()
    work_notes: tuple[WorkNote, ...] = ()
    corrections: tuple[Correction, ...] = ()
    emergency_assistance: bool = False
    contact_by: tuple[ContactWay, ...] | None = None
    steps: tuple[Step, ...] = ()
    notifications: Notifications | None = None
    mail: PendingMail | None = None
    mail_after: Instant | None = None
    breach_notices: tuple[BreachNoticeSent, ...] = ()
    edits: tuple[StaffEdit, ...] = ()
    routed_from: int = 0
    retyped_at: Instant | None = None
    reopens_held: bool = False
    call: CallTaken | None = None

    def opens_again(self, at: datetime, window: timedelta) -> bool:
        """Whether the answer to a retry may contain the link that opens the request: within
        `window` of its acceptance, under a key that cannot be guessed, and while the request has
        only what was first sent."""
        return (
            self.retry_opens
            and self.received_at is not None
            and at - self.received_at <= window
            and self.lifecycle == "active"
            and not self.protected
            and self.is_as_sent
        )

    @property
    def is_as_sent(self) -> bool:
        """Whether neither its reporter nor anybody on their behalf has changed it since."""
        return (
            not self.corrections
            and not self.steps
            and self.notifications is None
            and self.status != "withdrawn"
            and UPDATE_CONTACTS not in self.sealed
        )

    @property
    def awaits_routing(self) -> bool:
        """Whether the job was taken back from its department and is not routed anew yet."""
        return self.routed_from > 0 and self.department is None

    @property
    def moved_by_staff(self) -> bool:
        """Whether staff gave the place that it has."""
        return any("place" in each.changed for each in self.edits)

    @property
    def is_public(self) -> bool:
        """Whether it may ever show in public: by number, by token, or in a list."""
        return self.delivery != "blackbox"

    @property
    def assigned_department(self) -> str | None:
        """The department whose work it is now. A request that the reporter withdrew has none, even
        before routing says so. A closed request stays with its department."""
        return None if self.status == "withdrawn" else self.department

    @property
    def number_is_known(self) -> bool:
        """Whether the public may learn its number: for a batch request, once the place has been
        checked."""
        return self.is_public and (self.delivery == "realtime" or self.place_checked)

    # -- what geo, media, routing and the registry say about it

    def placed(
        self, located: Located, read: ev.AddressRead | None, *, at: datetime
    ) -> "ServiceRequest":
        """A copy with what geo found; its place is checked."""
        return replaced(self, located=located, read=read, place_checked=True, updated_at=at)

    def reread(self, read: ev.AddressRead, located: Located | None) -> "ServiceRequest":
        """A copy with the words of its place as geo reads them now."""
        return replaced(self, read=read, located=located)

    def place_indexed(self, values: tuple[str, ...]) -> "ServiceRequest":
        """A copy with the index values of its place."""
        return replaced(self, indexes={**self.indexes, "place": values})

    def compared(self, *, protected: bool, registry_version: int) -> "ServiceRequest":
        """A copy with the registry's decision. It is listed only if that allows it and it has a
        point, because clients of lists put each row on a map."""
        return replaced(
            self,
            protected=protected,
            registry_version=registry_version,
            listed=self.is_public and self.place_checked and not protected and has_point(self),
        )

    def illustrated(self, media: tuple[ev.MediaItem, ...], *, at: datetime) -> "ServiceRequest":
        """A copy with the media service's account of its files."""
        return replaced(self, media=media, updated_at=at)

    def assigned(self, department: str, due_on: date | None, *, at: datetime) -> "ServiceRequest":
        """A copy assigned to the department, which starts from the beginning if nobody has worked
        on it yet."""
        begins = self.status in ("received", "identity_required")
        return replaced(
            self,
            department=department,
            due_on=due_on,
            updated_at=at,
            status="routed" if begins else self.status,
        )

    def recalled(self, *, at: datetime) -> "ServiceRequest":
        """A copy that no longer belongs to any department."""
        return replaced(self, department=None, due_on=None, updated_at=at)

    def noted(self, note: Note) -> "ServiceRequest":
        """A copy with one more line of history, which changes nothing else."""
        return replaced(self, notes=(*self.notes, note))

    def noticed(self, note: Note) -> "ServiceRequest":
        """A copy with one more line of history, which is news."""
        return replaced(self, notes=(*self.notes, note), updated_at=note.at)

    def worked(self, work: ev.WorkUpdated | ev.WorkUpdatedV2, note: Note) -> "ServiceRequest":
        """A copy in the status of the department's answer, with a line of history about it. What
        was closed and must not be worked on without name and address is held instead of
        reopened."""
        if self._reopens_held(work.status):
            begins = Note(at=note.at, kind="status", status="identity_required")
            return self.held_for_identity().noted(note.without_status()).noticed(begins)
        return replaced(
            self,
            status=work.status,
            duplicate_of=work.duplicate_of or self.duplicate_of,
            closed_at=work.accepted_at if work.status in CLOSED else None,
            notes=(*self.notes, note),
            updated_at=note.at,
        )

    def _reopens_held(self, status: ev.RequestStatus) -> bool:
        known = self.sealed.keys() >= NAME_AND_ADDRESS
        return self.reopens_held and not known and self.status in CLOSED and status not in CLOSED

    def work_note_sealed(self, note: WorkNote, sealed: Mapping[str, bytes]) -> "ServiceRequest":
        """A copy with one more of the departments' notes among the sealed data. Nobody sees a
        change."""
        return replaced(self, work_notes=(*self.work_notes, note), sealed=sealed)

    # -- what its reporter, staff and clients do

    def commented(
        self, note: Note, sealed: Mapping[str, bytes], *, urgent: bool
    ) -> "ServiceRequest":
        """A copy with somebody's addition: redacted in its history, and as typed in the sealed
        data. `urgent`: it suggests that somebody's life may be in danger."""
        return replaced(
            self,
            notes=(*self.notes, note),
            sealed=sealed,
            emergency_assistance=self.emergency_assistance or urgent,
            updated_at=note.at,
        )

    def supplied(self, uploads: Iterable[ev.UploadRef], *, at: datetime) -> "ServiceRequest":
        """A copy with more files."""
        return replaced(self, uploads=(*self.uploads, *uploads), updated_at=at)

    def withdrawn(self, *, at: datetime) -> "ServiceRequest":
        """A copy withdrawn by its reporter."""
        note = Note(at=at, kind="status", status="withdrawn")
        return replaced(
            self,
            status="withdrawn",
            held_because=None,
            closed_at=at,
            updated_at=at,
            notes=(*self.notes, note),
        )

    def stepped(self, step: Step) -> "ServiceRequest":
        """A copy that remembers one more step of the reporter's."""
        return replaced(self, steps=(*self.steps, step)[-STEPS_REMEMBERED:])

    def edited(self, edit: StaffEdit) -> "ServiceRequest":
        """A copy that remembers what somebody on the staff changed."""
        return replaced(self, edits=(*self.edits, edit), updated_at=edit.at)

    def answered_anew(self, attributes: tuple[ev.AttributeValue, ...]) -> "ServiceRequest":
        """A copy with other answers to the type's questions."""
        return replaced(self, attributes=attributes)

    def retyped(
        self,
        service_code: str,
        *,
        urgent: bool,
        public: bool,
        reopens_held: bool,
        at: datetime,
    ) -> "ServiceRequest":
        """A copy of another type. `urgent`: somebody's life may be in danger where this type is
        reported. Unless requests of the type are `public`, this one is not from now on, and no
        later type makes it so again."""
        return replaced(
            self,
            service_code=service_code,
            retyped_at=at,
            reopens_held=reopens_held,
            delivery=self.delivery if public else "blackbox",
            listed=self.listed and public,
            emergency_assistance=self.emergency_assistance or urgent,
        )

    def moved(self, place: ev.Place, indexes: Mapping[str, tuple[str, ...]]) -> "ServiceRequest":
        """A copy at another place, as it was given: unchecked, off every list, with no department,
        and back at the start of its work. No earlier routing gives it to a department."""
        held = self.status == "identity_required"
        return replaced(
            self,
            place=place,
            place_version=self.place_version + 1,
            place_checked=False,
            located=None,
            read=None,
            listed=False,
            indexes=indexes,
            department=None,
            due_on=None,
            routed_from=self.version + 1,
            status=self.status if held else "received",
        )

    def held_for_identity(self) -> "ServiceRequest":
        """A copy held until its reporter is known; no department has it, and no earlier routing
        gives it to one."""
        return replaced(
            self,
            status="identity_required",
            held_because="name_and_address",
            closed_at=None,
            department=None,
            due_on=None,
            routed_from=self.version + 1,
        )

    def released(self) -> "ServiceRequest":
        """A copy no longer held for its reporter's identity."""
        return replaced(self, status="received", held_because=None)

    def corrected(
        self,
        correction: Correction,
        *,
        sealed: Mapping[str, bytes],
        indexes: Mapping[str, tuple[str, ...]],
        index_versions: tuple[int, ...],
        index_readings: int,
        home_unread_at: datetime | None,
    ) -> "ServiceRequest":
        """A copy with new values of contact fields and their index values."""
        return replaced(
            self,
            sealed=sealed,
            indexes=indexes,
            index_versions=index_versions,
            index_readings=index_readings,
            home_unread_at=home_unread_at,
            corrections=(*self.corrections, correction)[-CORRECTIONS_REMEMBERED:],
        )

    def reindexed(
        self,
        indexes: Mapping[str, tuple[str, ...]],
        versions: tuple[int, ...],
        home_unread_at: datetime | None,
    ) -> "ServiceRequest":
        """A copy with new index values, under these keys and the current rules."""
        return replaced(
            self,
            home_unread_at=home_unread_at,
            indexes=indexes,
            index_versions=versions,
            index_readings=READINGS,
        )

    def changed(self, *, at: datetime) -> "ServiceRequest":
        """A copy changed at that time, visible to everybody."""
        return replaced(self, updated_at=at)

    def without_original(self) -> "ServiceRequest":
        """A copy that is not shown as a duplicate, for readers who may not see the other
        request."""
        return replaced(self, duplicate_of=None)

    # -- e-mails to its reporter

    def email_noticed(self, version: str | None) -> "ServiceRequest":
        """A copy with the notice that was shown for an e-mail address."""
        return replaced(self, policy=self.policy and self.policy.email_noticed(version))

    def subscribed(self, notifications: Notifications) -> "ServiceRequest":
        """A copy whose reporter gets e-mails about news from now on."""
        return replaced(self, notifications=notifications)

    def unsubscribed(self) -> "ServiceRequest":
        """A copy whose reporter gets no more e-mails; a waiting message is not sent."""
        return replaced(self, notifications=None, mail=None, mail_after=None)

    def mail_owed(self, mail: PendingMail, *, after: datetime) -> "ServiceRequest":
        """A copy with a message to be sent at that time or later."""
        return replaced(self, mail=mail, mail_after=after)

    def mail_followed(self, mail_id: str, *, at: datetime) -> "ServiceRequest":
        """A copy with newer news in the waiting message, if there is one."""
        return replaced(self, mail=self.mail and self.mail.followed(mail_id, at))

    def told_of_breach(self, sent: BreachNoticeSent) -> "ServiceRequest":
        """A copy that remembers that its reporter was told of a breach."""
        return replaced(self, breach_notices=(*self.breach_notices, sent))

    def mail_settled(self) -> "ServiceRequest":
        """A copy without a waiting message."""
        return replaced(self, mail=None, mail_after=None)


def telling(
    before: ServiceRequest,
    after: ServiceRequest,
    mail_id: str,
    at: datetime,
    *,
    news: bool = False,
) -> ServiceRequest:
    """`after`, with a message to the reporter if they asked for it and the status is new or there
    is other `news`.

    A waiting message covers all changes until it is sent, so there is never a second one. It notes
    the latest change, since a message being sent does not cover later ones.
    """
    told = after.notifications is not None and (news or after.status != before.status)
    if not told:
        return after
    if after.mail is not None:
        return after.mail_followed(mail_id, at=at)
    return after.mail_owed(PendingMail(mail_id=mail_id, since=at), after=at)


def remarks(request: ServiceRequest) -> tuple[ev.Remark, ...]:
    """What the reporter, and others through a client, said later: the newest that fit."""
    found: list[ev.Remark] = []
    left = REMARKS_BYTES
    for note in reversed(request.notes):
        if note.kind not in _BY or not note.text:
            continue
        left -= len(note.text.encode())
        if left < 0:
            break
        found.append(ev.Remark(at=note.at, text=note.text, by=_BY[note.kind]))
    return tuple(reversed(found))


def public_place(request: ServiceRequest) -> ev.Place:
    """The place as anybody may see it: what geo found, with an address where geo knows street and
    range and has written it itself. Nothing that a resident typed is part of it. For a protected
    request, only its municipality."""
    located = request.located
    if located is None:
        return ev.Place()
    if request.protected:
        return ev.Place(municipality=located.municipality)
    return ev.Place(
        latitude=located.latitude,
        longitude=located.longitude,
        address=located.address if is_own_address(located) else None,
        municipality=located.municipality,
        zip_code=located.zip_code,
    )


UNINCORPORATED = "Unincorporated Miami-Dade"


def public_jurisdiction(request: ServiceRequest) -> str | None:
    """The municipality, or that there is none; public also where the place is not."""
    located = request.located if request.place_checked else None
    if located is None or located.outcome != "resolved":
        return None
    return located.municipality or UNINCORPORATED


def public_area(request: ServiceRequest, zip_code: str | None) -> str | None:
    """Municipality and ZIP code in one line, as the public sees them where it sees no address."""
    area = public_jurisdiction(request)
    return f"{area}, {zip_code}" if area and zip_code else area


def own_place(request: ServiceRequest) -> ev.Place:
    """The place as its reporter sees it: as they gave it and, once it was checked, with what the
    public sees of it where they gave nothing. Of a protected request that is its municipality.

    After staff corrected the place, it is only what the public sees: the reporter did not give it,
    and it may be somebody's protected home.
    """
    given = ev.Place() if request.moved_by_staff else request.place
    if not request.place_checked:
        return given
    found = public_place(request)
    return ev.Place(
        latitude=given.latitude if given.latitude is not None else found.latitude,
        longitude=given.longitude if given.longitude is not None else found.longitude,
        address=found.address or given.address or public_area(request, found.zip_code),
        address_id=given.address_id,
        municipality=found.municipality or given.municipality,
        zip_code=found.zip_code or given.zip_code,
    )


def is_own_address(located: Located) -> bool:
    """Whether the address that was found is geo's own."""
    return located.outcome == "resolved" and located.address_known


def show_place(request: ServiceRequest) -> ev.Place:
    """The place sent to the people who work on it: the public one or, if geo found none, the point
    and address as given, which were also checked against the registry."""
    found, given = public_place(request), request.place
    if request.protected:
        return found
    at = given if found.latitude is None or found.longitude is None else found
    return found.pointed_at(
        at,
        address=found.address or given.address,
        address_id=given.address_id,
        zip_code=found.zip_code if request.located else given.zip_code,
    )


def place_to_say(request: ServiceRequest) -> ev.Place:
    """The place that the other services are told: until it is checked, as it was given, so that geo
    can say where that is, also for a protected request; then the one that departments may see."""
    return show_place(request) if request.place_checked else request.place


def has_point(request: ServiceRequest) -> bool:
    """Whether geo has located it, wherever it was said to be."""
    return request.located is not None and request.located.latitude is not None


def public_words(request: ServiceRequest, note: Note) -> str:
    """A note's public words. Empty for a protected request, since the people who worked there may
    write where it was, and until its place has been checked."""
    return note.text if request.place_checked and not request.protected else ""


def created(request: ServiceRequest) -> Outgoing:
    """What intake says about a new request."""
    return Outgoing(
        ev.RequestCreated(
            record_id=request.record_id,
            version=request.version,
            jurisdiction_id=request.jurisdiction_id,
            service_code=request.service_code,
            received_at=_given(request.received_at),
            place=request.place,
            text=request.text,
            attributes=request.attributes,
            uploads=request.uploads,
            channel=request.channel,
            status="identity_required" if request.status == "identity_required" else "received",
            policy=_given(request.policy),
            registry_version=request.registry_version,
            reporter_given=bool(request.sealed.keys() & {"first_name", "last_name", "email"}),
            likely_repeat_of=request.likely_repeat_of,
            emergency_assistance=request.emergency_assistance,
        )
    )


def updated(before: ServiceRequest, after: ServiceRequest, *changed: ev.RequestChange) -> Outgoing:
    """What intake says about a request that it changed from `before` to `after`."""
    return Outgoing(
        ev.RequestUpdated(
            record_id=after.record_id,
            version=before.version + 1,
            changed=changed,
            service_code=after.service_code,
            status=after.status,
            updated_at=_given(after.updated_at),
            received_at=_given(after.received_at),
            place=place_to_say(after),
            place_version=after.place_version,
            place_checked=after.place_checked,
            protected=after.protected,
            registry_version=after.registry_version,
            text=after.text,
            attributes=after.attributes,
            uploads=after.uploads,
            duplicate_of=after.duplicate_of,
            closed_at=after.closed_at,
            emergency_assistance=after.emergency_assistance,
            remarks=remarks(after),
        )
    )


def _given(value: T | None) -> T:
    if value is None:
        raise ValueError("the request is not stored yet")
    return value
