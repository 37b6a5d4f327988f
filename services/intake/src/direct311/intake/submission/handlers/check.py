"""The rules of a submission: from a draft and the catalogue they make a submission, or a list of
everything that is wrong."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args
from urllib.parse import urlsplit

from direct311.intake.catalogue.domain.types import AskedIf, Attribute, Catalogue, ServiceType
from direct311.intake.county import day_of
from direct311.intake.fields import (
    CONTACT_LIMITS,
    CONTROL,
    LONGEST_ANSWER,
    LONGEST_DESCRIPTION,
    NOT_IN_A_LINE,
    ContactField,
    contact_wrong,
    phone_wrong,
    text_wrong,
)
from direct311.intake.jurisdiction import JURISDICTIONS
from direct311.intake.request import ContactWay
from direct311.intake.submission.domain.draft import Draft
from direct311.intake.submission.domain.submission import Submission
from direct311.intake.submission.domain.wrong import Code, Field, FieldName, Wrong
from direct311.redaction import redact_place
from direct311.runtime.parameters import read_instant, read_number
from direct311.runtime.text import shows_all
from direct311.schemas.events import Place

LONGEST_TEXT_ANSWER = 4000
MOST_VALUES = 50
LONGEST_ADDRESS = 300
LONGEST_URL = 2000
MOST_MEDIA_URLS = 10
LONGEST_AGO = timedelta(days=100 * 365)
LONGEST_AHEAD = timedelta(days=366)
"""Every time that an answer can mean is between these two: when something was seen, or when it is
due."""
JURISDICTION = "miamidade"
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_NOT_IN_A_URL = re.compile("[\x00-\x20\x7f\ud800-\udfff]")
_ADDRESS_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}")
"""An id is never a whole sentence."""
# A parcel's folio has the municipality's code (01 to 36; 30 is unincorporated), the last digits of
# township (51 to 60 S) and range (35 to 42 E), the section (1 to 36), subdivision, and parcel.
# Nothing else with dashes looks like it. An OpenStreetMap element begins with its kind.
_PLACE_ID = re.compile(
    r"(?:(?:folio|parcel)[:/])?"
    r"(?:\d{2}-\d{4}-\d{3}-\d{4}"
    r"|(?:0[1-9]|[12]\d|3[0-6])\d[5-9012](?:0[1-9]|[12]\d|3[0-6])\d{7})"
    r"|(?:osm[:/])?(?:node|way|relation)[:/][1-9]\d{0,11}",
    re.ASCII,
)
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
CONTACT_FIELDS: tuple[ContactField, ...] = get_args(ContactField)
_NEEDED: Mapping[ContactWay, ContactField] = {"email": "email", "phone": "phone", "text": "phone"}


@dataclass(frozen=True, slots=True)
class Way:
    """What one of the APIs asks for beyond the rules that apply to all.

    `shows_notice`: the API can say which e-mail notice was shown, so it must do so with an e-mail
    address (section 668.6076, F.S.). `phone_must_be_one`: a telephone must be a telephone number.
    `files_last`: whether the type takes files is checked after everything else is right.
    """

    shows_notice: bool
    phone_must_be_one: bool
    files_last: bool


APP = Way(shows_notice=True, phone_must_be_one=True, files_last=False)
"""`/v1`, which the county's own front ends use."""
GEOREPORT = Way(shows_notice=False, phone_must_be_one=False, files_last=True)
"""GeoReport v2: it has no field for the notice, and its clients send what they like as a
telephone."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The type that was asked for, and the submission if nothing is wrong."""

    service: ServiceType | None
    submission: Submission | None
    wrong: tuple[Wrong, ...]


def check(
    draft: Draft, catalogue: Catalogue, at: datetime, way: Way, *, most_files: int
) -> Checked:
    """Check a draft against the rules and the type's questions. `at`: when it was submitted."""
    found = [*draft.wrong]
    _once(draft, ("jurisdiction_id",), found)
    if draft.jurisdiction_id not in (None, *JURISDICTIONS):
        found.append(Wrong("unknown_jurisdiction", Field("jurisdiction_id")))
    service = _service(draft, catalogue, at, found)
    place = _place(draft, found)
    _once(draft, ("description",), found)
    if wrong := text_wrong(draft.description):
        found.append(Wrong(wrong, Field("description"), LONGEST_DESCRIPTION))
    _contact(draft, way, found)
    answers = _answers(draft, service, at, found)
    found += media_urls_wrong(draft.media_urls)
    _once(draft, ("client_request_id",), found)
    if draft.client_request_id is not None and not _KEY.fullmatch(draft.client_request_id):
        found.append(Wrong("key_form", Field("client_request_id")))
    _versions(draft, way, found)
    if draft.contact_by:
        found += _consent_wrong(draft, draft.contact_by)
    if len(draft.file_ids) > most_files:
        found.append(Wrong("too_many", Field("file_ids"), most_files))
    if service is not None and not (found and way.files_last):
        files = draft.files + len(draft.file_ids)
        if files_wrong := service.files_wrong(files, len(draft.media_urls)):
            found.append(Wrong(files_wrong, Field("files")))
    if found or service is None or place is None:
        return Checked(service, None, tuple(dict.fromkeys(found)))
    return Checked(service, _submission(draft, service, place, answers), ())


def _submission(
    draft: Draft, service: ServiceType, place: Place, answers: Mapping[str, tuple[str, ...]]
) -> Submission:
    sealed = {a.code: a.sealed_as for a in service.attributes if a.sealed_as is not None}
    return Submission(
        jurisdiction_id=JURISDICTION,
        service_code=service.service_code,
        place=place,
        description=draft.description,
        attributes={code: values for code, values in answers.items() if code not in sealed},
        sealed_answers={
            sealed[code]: values[0] for code, values in answers.items() if code in sealed
        },
        contact=draft.contact,
        media_urls=draft.media_urls,
        client_request_id=draft.client_request_id,
        policy_version=draft.policy_version,
        email_notice_version=draft.email_notice_version,
        contact_by=draft.contact_by,
        uploads=draft.file_ids,
        place_id_left_out=place.address_id is None and draft.address_id is not None,
    )


def _once(draft: Draft, names: Sequence[FieldName], found: list[Wrong]) -> None:
    """Fields that may be sent only once. Sending the same value twice, for example in the query and
    in the form, is not a contradiction."""
    if draft.repeated:
        found += [Wrong("sent_once", Field(name)) for name in names if name in draft.repeated]


def _service(
    draft: Draft, catalogue: Catalogue, at: datetime, found: list[Wrong]
) -> ServiceType | None:
    _once(draft, ("service_code",), found)
    if draft.service_code is None:
        found.append(Wrong("missing", Field("service_code")))
        return None
    service = catalogue.offered(draft.service_code, day_of(at))
    if service is None:
        found.append(Wrong("unknown_service", Field("service_code")))
    return service


def _place(draft: Draft, found: list[Wrong]) -> Place | None:
    """The place of the problem, as it was sent. Other text is removed when the submission is
    accepted."""
    before = len(found)
    _once(draft, ("latitude", "longitude", "address", "address_id"), found)
    latitude, longitude = draft.latitude, draft.longitude
    address, address_id = draft.address, draft.address_id
    if latitude is not None and not -90 <= latitude <= 90:
        found.append(Wrong("degrees", Field("latitude"), 90))
    if longitude is not None and not -180 <= longitude <= 180:
        found.append(Wrong("degrees", Field("longitude"), 180))
    if address and (len(address) > LONGEST_ADDRESS or NOT_IN_A_LINE.search(address)):
        found.append(Wrong("plain_text", Field("address"), LONGEST_ADDRESS))
    if address_id and not _ADDRESS_ID.fullmatch(address_id):
        found.append(Wrong("address_id_form", Field("address_id")))
    elif address_id and not _is_of_a_place(address_id):
        if address is None and (latitude is None or not -90 <= latitude <= 90):
            found.append(Wrong("not_a_place", Field("address_id")))
        address_id = None
    if (latitude is None) != (longitude is None):
        missing: FieldName = "latitude" if latitude is None else "longitude"
        found.append(Wrong("point_incomplete", Field(missing)))
    elif latitude is None and address is None and draft.address_id is None:
        found.append(Wrong("place_required", Field("latitude")))
    if len(found) > before:
        return None
    return Place(latitude=latitude, longitude=longitude, address=address, address_id=address_id)


def _is_of_a_place(text: str) -> bool:
    """Whether an id is the id of a place, and contains nothing that is masked elsewhere. It goes to
    the department unchanged, because it would mean nothing with a part removed."""
    if _PLACE_ID.fullmatch(text):
        # In these forms it is a place, even if its last digits could be a telephone number.
        return True
    # The rules do not expect a colon within a number; between two numbers it means the same as a
    # dash.
    return not (redact_place(text).spans or redact_place(text.replace(":", "-")).spans)


def _contact(draft: Draft, way: Way, found: list[Wrong]) -> None:
    """The contact fields of the person who writes."""
    for name in CONTACT_FIELDS:
        text = draft.contact.get(name)
        if text is None:
            continue
        _once(draft, (name,), found)
        wrong: Code | None = contact_wrong(name, text)
        if wrong is None and name == "phone" and way.phone_must_be_one:
            wrong = phone_wrong(text)
        if wrong:
            found.append(Wrong(wrong, Field(name), CONTACT_LIMITS[name]))


def _versions(draft: Draft, way: Way, found: list[Wrong]) -> None:
    """The versions of the policy and e-mail notice that the reporter was shown."""
    given: tuple[tuple[FieldName, str | None], ...] = (
        ("policy_version", draft.policy_version),
        ("email_notice_version", draft.email_notice_version),
    )
    for name, text in given:
        _once(draft, (name,), found)
        if text is not None and not _VERSION.fullmatch(text):
            found.append(Wrong("version_form", Field(name)))
    if way.shows_notice and "email" in draft.contact and draft.email_notice_version is None:
        found.append(Wrong("notice_required", Field("email_notice_version")))


def _consent_wrong(draft: Draft, ways: Sequence[ContactWay]) -> Iterator[Wrong]:
    """Anyone who consents to a way of contact must have given the field that it needs."""
    for each in ways:
        if _NEEDED[each] not in draft.contact:
            yield Wrong(
                "contact_missing", Field("contact_by"), other=Field(_NEEDED[each]), values=(each,)
            )


def _answers(
    draft: Draft, service: ServiceType | None, at: datetime, found: list[Wrong]
) -> dict[str, tuple[str, ...]]:
    """Answers by attribute code, in the order of the type's questions."""
    if draft.unnamed_answers:
        found.append(Wrong("answer_name", Field("answers")))
    if service is None:
        return {}
    sent, known = draft.answers, service.questions
    if any(code not in known for code in sent):
        found.append(Wrong("unknown_answer", Field("answers")))
    answers: dict[str, tuple[str, ...]] = {}
    unclear: set[str] = set()
    for code, attribute in known.items():
        answered = sent.get(code, ())
        wrong = _answer_wrong(attribute, answered, at) if answered else None
        asked_if = attribute.asked_if
        if asked_if is not None and asked_if.code in unclear:
            # We cannot tell whether the question is asked, so we report only the wrong answer.
            unclear.add(code)
        elif asked_if is not None and not _asked(asked_if, answers):
            if answered:
                wrong = _depending("asked_only_if", code, asked_if)
        elif not answered and attribute.required and attribute.sealed_as is None:
            # A complaint that lacks what enforcement needs is held, not refused.
            wrong = (
                Wrong("missing", Field("answers", code))
                if asked_if is None
                else _depending("missing_if", code, asked_if)
            )
        if wrong:
            unclear.add(code)
            found.append(wrong)
        elif answered:
            answers[code] = answered
    return answers


def _asked(asked_if: AskedIf, answers: Mapping[str, tuple[str, ...]]) -> bool:
    return not set(asked_if.values).isdisjoint(answers.get(asked_if.code, ()))


def _depending(wrong: Code, code: str, asked_if: AskedIf) -> Wrong:
    other = Field("answers", asked_if.code)
    return Wrong(wrong, Field("answers", code), other=other, values=tuple(asked_if.values))


def _answer_wrong(attribute: Attribute, values: tuple[str, ...], at: datetime) -> Wrong | None:
    """What is wrong with an answer that has at least one value."""
    field = Field("answers", attribute.code)
    many = attribute.datatype == "multivaluelist"
    if len(values) > (MOST_VALUES if many else 1):
        return Wrong("too_many_values", field, MOST_VALUES) if many else Wrong("sent_once", field)
    longest = LONGEST_TEXT_ANSWER if attribute.datatype == "text" else LONGEST_ANSWER
    if any(len(value) > longest or CONTROL.search(value) for value in values):
        return Wrong("plain_text", field, longest)
    if attribute.is_list:
        keys = {choice.key for choice in attribute.values}
        if not keys.issuperset(values):
            return Wrong("not_a_choice", field)
    if attribute.datatype == "number" and not math.isfinite(read_number(values[0])):
        return Wrong("not_a_number", field)
    if attribute.datatype == "datetime":
        told = read_instant(values[0])
        if told is None:
            return Wrong("not_a_time", field)
        if not at - LONGEST_AGO <= told <= at + LONGEST_AHEAD:
            return Wrong("time_out_of_range", field)
    return None


def media_urls_wrong(urls: Sequence[str]) -> Iterator[Wrong]:
    """What is wrong with links to media."""
    if len(urls) > MOST_MEDIA_URLS:
        yield Wrong("too_many", Field("media_urls"), MOST_MEDIA_URLS)
    if any(not _is_web_address(url) for url in urls):
        yield Wrong("web_address", Field("media_urls"))


def _is_web_address(url: str) -> bool:
    # urlsplit drops line ends and tabs.
    if len(url) > LONGEST_URL or _NOT_IN_A_URL.search(url) or not shows_all(url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
