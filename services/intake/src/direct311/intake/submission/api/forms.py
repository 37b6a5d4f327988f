"""Reading a submission: `POST /requests` of GeoReport v2, with all that is wrong told at once."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from direct311.intake.catalogue.domain.types import AskedIf, Attribute, Catalogue, ServiceType
from direct311.intake.county import day_of
from direct311.intake.fields import (
    _CONTROL,
    _NOT_IN_A_LINE,
    CONTACT_LIMITS,
    LONGEST_ANSWER,
    LONGEST_DESCRIPTION,
    contact_problem,
    text_problem,
)
from direct311.intake.jurisdiction import jurisdiction_problem
from direct311.intake.problems import Problem
from direct311.intake.submission.domain.submission import Submission
from direct311.redaction import redact_place
from direct311.runtime.http.parameters import read_instant, read_number
from direct311.runtime.text import cleaned, shows_all
from direct311.schemas.events import Place

LONGEST_TEXT_ANSWER = 4000
MOST_VALUES = 50
LONGEST_ADDRESS = 300
LONGEST_URL = 2000
_LONGEST_SENT = 4 * LONGEST_DESCRIPTION
"""Characters of a value that is cleaned: what shows nothing may be a part of it."""
MOST_MEDIA_URLS = 10
LONGEST_AGO = timedelta(days=100 * 365)
LONGEST_AHEAD = timedelta(days=366)
"""Between the two lies every time that an answer can mean: of what was seen, and of what is due."""
JURISDICTION = "miamidade"
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_ATTRIBUTE = re.compile(r"attribute\[([A-Za-z0-9_-]{1,60})\](\[\])?")
_NOT_IN_A_URL = re.compile("[\x00-\x20\x7f\ud800-\udfff]")
_LINES = re.compile(r"description|attribute.*", re.DOTALL)
_ADDRESS_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}")
"""A sentence is no id."""
# A parcel's folio: the municipality's code (01 to 36; 30 is unincorporated), the last digits of
# township (51 to 60 S) and range (35 to 42 E), the section (1 to 36), subdivision, parcel. With its
# dashes nothing else looks so. An element of OpenStreetMap has its kind in front.
_PLACE_ID = re.compile(
    r"(?:(?:folio|parcel)[:/])?"
    r"(?:\d{2}-\d{4}-\d{3}-\d{4}"
    r"|(?:0[1-9]|[12]\d|3[0-6])\d[5-9012](?:0[1-9]|[12]\d|3[0-6])\d{7})"
    r"|(?:osm[:/])?(?:node|way|relation)[:/][1-9]\d{0,11}",
    re.ASCII,
)
_NO_PLACE_ID = (
    "address_id must be the id of a place, such as a folio, and not what could be the number of a "
    "card, a bank account, social security or a telephone; or send lat and long, or address_string"
)
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


@dataclass(frozen=True, slots=True)
class Read:
    """The type that was asked for, and the submission, if nothing is wrong."""

    service: ServiceType | None
    submission: Submission | None
    problems: tuple[Problem, ...]


def read_submission(pairs: Sequence[tuple[str, str]], catalogue: Catalogue, at: datetime) -> Read:
    """Check a form's fields against the rules and the type's questions.

    An empty field counts as not sent. Problems name fields, never values.
    """
    given = sent(pairs)
    problems: list[Problem] = []
    single = Singles(given, problems)

    jurisdiction = jurisdiction_problem(single("jurisdiction_id"))
    if jurisdiction:
        problems.append(jurisdiction)
    service = _service(single("service_code"), catalogue, at, problems)
    place = _place(single, problems)
    description = read_description(single, problems)
    contact = read_contact(single, problems)
    answers = _answers(given, service, at, problems)
    media_urls = read_media_urls(given, problems)
    key = single("client_request_id")
    if key is not None and not _KEY.fullmatch(key):
        problems.append(
            Problem(
                400,
                "client_request_id",
                "client_request_id may have 200 printable ASCII characters",
            )
        )
    versions = {
        name: _version(name, single(name), problems)
        for name in ("policy_version", "email_notice_version")
    }
    if problems or service is None or place is None:
        return Read(service, None, tuple(problems))
    sealed = {a.code: a.sealed_as for a in service.attributes if a.sealed_as is not None}
    return Read(
        service,
        Submission(
            jurisdiction_id=JURISDICTION,
            service_code=service.service_code,
            place=place,
            description=description,
            attributes={code: v for code, v in answers.items() if code not in sealed},
            sealed_answers={
                sealed[code]: values[0] for code, values in answers.items() if code in sealed
            },
            contact=contact,
            media_urls=media_urls,
            place_id_left_out=place.address_id is None and single("address_id") is not None,
            client_request_id=key,
            policy_version=versions["policy_version"],
            email_notice_version=versions["email_notice_version"],
        ),
        (),
    )


def sent(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """The values of a form by field; an empty one counts as not sent.

    Texts that others will see are cleaned, before they are checked, sealed and compared: what a
    reader does not see is no part of what was said, and a repeat is one all the same. A text with a
    control character, or far longer than any field may be, is left as it is, and refused by name
    of its field.
    """
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        shown = _shown(name, value)
        if shown.strip():
            given.setdefault(name, []).append(shown)
    return given


def _shown(name: str, value: str) -> str:
    if len(value) > _LONGEST_SENT:
        return value
    if _LINES.fullmatch(name) and not _CONTROL.search(value):
        return cleaned(value, lines=True)
    if name == "address_string" and not _CONTROL.search(value):
        # On several lines it is an address too.
        return cleaned(value)
    if name in CONTACT_LIMITS and not _NOT_IN_A_LINE.search(value):
        return cleaned(value)
    return value


class Singles:
    """Fields that may be sent once."""

    def __init__(self, given: Mapping[str, list[str]], problems: list[Problem]) -> None:
        self._given = given
        self._problems = problems

    def __call__(self, name: str) -> str | None:
        values = self._given.get(name)
        if values is None:
            return None
        # The same value twice, in the query and in the form say, contradicts nothing.
        if len(set(values)) > 1:
            self._problems.append(Problem(400, name, f"{name} may be sent once"))
        return values[0].strip()


def _service(
    code: str | None, catalogue: Catalogue, at: datetime, problems: list[Problem]
) -> ServiceType | None:
    if code is None:
        problems.append(Problem(400, "service_code", "service_code is required"))
        return None
    service = catalogue.offered(code, day_of(at))
    if service is None:
        problems.append(
            Problem(404, "service_code", "service_code must be one of those in GET /services")
        )
        return None
    return service


def _place(single: Callable[[str], str | None], problems: list[Problem]) -> Place | None:
    """The place of the problem, as it was sent; what is no place is taken out where it is taken."""
    before = len(problems)
    given = {name: single(name) for name in ("lat", "long", "address_string", "address_id")}
    latitude = _degrees("lat", given["lat"], 90, problems)
    longitude = _degrees("long", given["long"], 180, problems)
    address = given["address_string"]
    address_id = given["address_id"]
    if address and (len(address) > LONGEST_ADDRESS or _NOT_IN_A_LINE.search(address)):
        problems.append(
            Problem(
                400,
                "address_string",
                f"address_string may have {LONGEST_ADDRESS} characters of plain text",
            )
        )
    if address_id and not _ADDRESS_ID.fullmatch(address_id):
        wrong = "address_id may have 100 letters, digits and any of . _ : / -"
        problems.append(Problem(400, "address_id", wrong))
    elif address_id and not _is_of_a_place(address_id):
        if address is None and latitude is None:
            problems.append(Problem(400, "address_id", _NO_PLACE_ID))
        address_id = None
    if (given["lat"] is None) != (given["long"] is None):
        missing = "lat" if given["lat"] is None else "long"
        problems.append(Problem(400, missing, "lat and long must be sent together"))
    elif not any(given.values()):
        problems.append(
            Problem(400, "lat", "lat and long, address_string or address_id is required")
        )
    if len(problems) > before:
        return None
    return Place(
        latitude=latitude,
        longitude=longitude,
        address=address,
        address_id=address_id,
    )


def _is_of_a_place(text: str) -> bool:
    """Whether an id is a place's, and holds nothing that is masked elsewhere.

    It goes to the department as it is and means nothing with a part taken out.
    """
    if _PLACE_ID.fullmatch(text):
        # Of these forms it is a place's, though its end could be a telephone's.
        return True
    # The rules know no colon within a number; between two it says nothing else than a dash does.
    return not (redact_place(text).spans or redact_place(text.replace(":", "-")).spans)


def _degrees(name: str, text: str | None, limit: int, problems: list[Problem]) -> float | None:
    if text is None:
        return None
    value = read_number(text)
    if not -limit <= value <= limit:
        problems.append(
            Problem(400, name, f"{name} must be decimal degrees from -{limit} to {limit} (WGS 84)")
        )
        return None
    return value


def read_description(single: Callable[[str], str | None], problems: list[Problem]) -> str:
    """The text of a submission or of what is added to one."""
    description = (single("description") or "").replace("\r\n", "\n").replace("\r", "\n")
    if wrong := text_problem("description", description):
        problems.append(Problem(400, "description", wrong))
    return description


def read_contact(single: Callable[[str], str | None], problems: list[Problem]) -> dict[str, str]:
    """The contact fields of whoever writes."""
    contact = {}
    for name in CONTACT_LIMITS:
        text = single(name)
        if text is None:
            continue
        if wrong := contact_problem(name, text):
            problems.append(Problem(400, name, wrong))
        else:
            contact[name] = text
    return contact


def _answers(
    given: Mapping[str, list[str]],
    service: ServiceType | None,
    at: datetime,
    problems: list[Problem],
) -> dict[str, tuple[str, ...]]:
    """Answers by attribute code, in the order of the type's questions."""
    sent: dict[str, list[str]] = {}
    for name, values in given.items():
        if not name.startswith("attribute"):
            continue
        match = _ATTRIBUTE.fullmatch(name)
        if match is None:
            problems.append(Problem(400, "attribute", "an answer must be sent as attribute[CODE]"))
            continue
        sent.setdefault(match[1], []).extend(values)
    if service is None:
        return {}
    known = service.questions
    if any(code not in known for code in sent):
        problems.append(
            Problem(
                400, "attribute", "attribute codes must be those of GET /services/{service_code}"
            )
        )
    answers: dict[str, tuple[str, ...]] = {}
    unclear: set[str] = set()
    for code, attribute in known.items():
        answered = tuple(value.strip() for value in sent.get(code, ()))
        wrong = _wrong(attribute, answered, at) if answered else None
        asked_if = attribute.asked_if
        if asked_if is not None and asked_if.code in unclear:
            # Whether it is asked cannot be told, so only the answer that is wrong is named.
            unclear.add(code)
        elif asked_if is not None and not _asked(asked_if, answers):
            if answered:
                wrong = f"is asked only if {_condition(asked_if)}"
        elif not answered and attribute.required and attribute.sealed_as is None:
            # What a complaint lacks to be enforced, it may lack: then it is held, not refused.
            wrong = "is required"
            if asked_if is not None:
                wrong += f" if {_condition(asked_if)}"
        if wrong:
            unclear.add(code)
            problems.append(Problem(400, f"attribute[{code}]", f"attribute[{code}] {wrong}"))
        elif answered:
            answers[code] = answered
    return answers


def _asked(asked_if: AskedIf, answers: Mapping[str, tuple[str, ...]]) -> bool:
    return not set(asked_if.values).isdisjoint(answers.get(asked_if.code, ()))


def _condition(asked_if: AskedIf) -> str:
    return f"attribute[{asked_if.code}] is {' or '.join(asked_if.values)}"


def _wrong(attribute: Attribute, values: tuple[str, ...], at: datetime) -> str | None:
    """What an answer must be, where it is not."""
    many = attribute.datatype == "multivaluelist"
    if len(values) > (MOST_VALUES if many else 1):
        return f"may have {MOST_VALUES} values" if many else "may be sent once"
    longest = LONGEST_TEXT_ANSWER if attribute.datatype == "text" else LONGEST_ANSWER
    if any(len(value) > longest or _CONTROL.search(value) for value in values):
        return f"may have {longest} characters of plain text"
    if attribute.is_list:
        keys = {choice.key for choice in attribute.values}
        if not keys.issuperset(values):
            return "must be one of the keys in the type's definition"
    if attribute.datatype == "number" and not math.isfinite(read_number(values[0])):
        return "must be a number"
    if attribute.datatype == "datetime":
        told = read_instant(values[0])
        if told is None:
            return "must be a time such as 2026-01-31T12:00:00Z"
        if not at - LONGEST_AGO <= told <= at + LONGEST_AHEAD:
            return (
                f"must be a time at most {LONGEST_AGO.days // 365} years ago and at most "
                f"{LONGEST_AHEAD.days} days ahead"
            )
    return None


def read_media_urls(given: Mapping[str, list[str]], problems: list[Problem]) -> tuple[str, ...]:
    """Links to media, in the order in which they were sent."""
    urls = [value.strip() for name in ("media_url", "media_url[]") for value in given.get(name, ())]
    if len(urls) > MOST_MEDIA_URLS:
        problems.append(Problem(400, "media_url", f"media_url may be sent {MOST_MEDIA_URLS} times"))
    if any(not _is_web_address(url) for url in urls):
        problems.append(Problem(400, "media_url", "media_url must be an http or https address"))
    return tuple(urls)


def _is_web_address(url: str) -> bool:
    # urlsplit drops line ends and tabs.
    if len(url) > LONGEST_URL or _NOT_IN_A_URL.search(url) or not shows_all(url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _version(name: str, text: str | None, problems: list[Problem]) -> str | None:
    if text is not None and not _VERSION.fullmatch(text):
        problems.append(Problem(400, name, f"{name} must be a version from GET /v1/policy"))
        return None
    return text
