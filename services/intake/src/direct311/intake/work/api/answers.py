"""Requests as staff see them: everything that is not personal."""

from typing import Literal

from direct311.intake.request import (
    BY_RESIDENTS,
    CallTaken,
    EditedPart,
    Note,
    ServiceRequest,
    StaffEdit,
    SuspicionFlag,
    public_jurisdiction,
    public_words,
    show_place,
)
from direct311.schemas import Instant, Model, OnDate
from direct311.schemas import events as ev


class WorkRow(Model):
    """A request in a list. `municipality`: where it is; `Unincorporated Miami-Dade` outside every
    municipality, and `None` until its place was checked."""

    record_id: str
    service_code: str
    status: ev.RequestStatus
    received_at: Instant
    updated_at: Instant
    closed_at: Instant | None
    due_on: OnDate | None
    department: str | None
    municipality: str | None
    place_checked: bool
    protected: bool
    emergency_assistance: bool
    marks: tuple[SuspicionFlag, ...]


class WorkPage(Model):
    """`next`: the cursor of the next page, or `None` at the end of the list. A page may be short
    although there is a next one."""

    requests: tuple[WorkRow, ...]
    next: str | None


class WorkLocation(Model):
    """What geo found. `method`: how (`point`, `gazetteer`, `grid`, `zip`, `city`, `none`), and
    `confidence`, 0 to 1; `None` if the request was located before these were kept, or its place is
    protected."""

    outcome: Literal["resolved", "unresolved", "outside"]
    method: str | None = None
    confidence: float | None = None
    approximate: bool = False
    commission_district: str | None = None


class WorkFile(Model):
    """A file of the request. Media hands out the file itself, and writes that down."""

    media_id: str
    state: Literal["stored", "rejected", "withdrawn"]
    reason: str | None
    content_type: str | None


class HistoryLine(Model):
    """One line of the request's history. `text` is redacted, and empty if the request's place is
    protected and the line is the department's."""

    at: Instant
    occurred_at: Instant | None
    kind: Literal["status", "comment", "notice", "reporter"]
    status: ev.RequestStatus | None
    text: str


class EditLine(Model):
    """What somebody on the staff changed. `number` is the ETag after it. `service_code` and
    `attributes` are those before it, if it changed the type or answers. `reason` is redacted, and
    empty while the request's place is protected or not checked, since it may say where that is."""

    number: int
    at: Instant
    by: str
    roles: tuple[str, ...]
    department: str | None
    reason: str
    changed: tuple[EditedPart, ...]
    service_code: str | None
    attributes: tuple[ev.AttributeValue, ...] | None


class WorkRequest(WorkRow):
    """A request with everything that is not personal. `text` and `attributes` are the redacted
    copies. `place` is the one that departments get: nothing until it was checked, and of a
    protected request only its municipality. A protected request names no other one, whose place may
    be public. `call`: who took it, if staff did."""

    channel: str
    call: CallTaken | None
    held_because: str | None
    duplicate_of: str | None
    likely_repeat_of: str | None
    text: str
    attributes: tuple[ev.AttributeValue, ...]
    place: ev.Place
    place_version: int
    location: WorkLocation | None
    media: tuple[WorkFile, ...]
    history: tuple[HistoryLine, ...]
    edits: tuple[EditLine, ...]


def row(request: ServiceRequest) -> WorkRow:
    return WorkRow.model_validate(_of_row(request))


def whole(request: ServiceRequest) -> WorkRequest:
    alike = None if request.protected else request.likely_repeat_of
    return WorkRequest.model_validate(
        _of_row(request)
        | request.model_dump(
            include={
                "channel",
                "call",
                "held_because",
                "text",
                "attributes",
                "place_version",
            }
        )
        | {
            "duplicate_of": None if request.protected else request.duplicate_of,
            "likely_repeat_of": alike,
            "place": show_place(request) if request.place_checked else ev.Place(),
            "location": _location(request),
            "media": [WorkFile.model_validate(each.model_dump()) for each in request.media],
            "history": [_line(request, each) for each in request.notes],
            "edits": [_edit(request, each) for each in request.edits],
        }
    )


def _of_row(request: ServiceRequest) -> dict[str, object]:
    own = set(WorkRow.model_fields) - {"municipality"}
    return request.model_dump(include=own) | {"municipality": public_jurisdiction(request)}


def _location(request: ServiceRequest) -> WorkLocation | None:
    located = request.located
    if located is None:
        return None
    if request.protected:
        return WorkLocation(outcome=located.outcome)
    return WorkLocation.model_validate(located.model_dump())


def _line(request: ServiceRequest, note: Note) -> HistoryLine:
    # What residents wrote was redacted by the same rules as the text, which departments get too.
    text = note.text if note.kind in BY_RESIDENTS else public_words(request, note)
    return HistoryLine.model_validate(note.model_dump() | {"text": text})


def _edit(request: ServiceRequest, edit: StaffEdit) -> EditLine:
    told = request.place_checked and not request.protected
    return EditLine.model_validate(edit.model_dump() | {"reason": edit.reason if told else ""})
