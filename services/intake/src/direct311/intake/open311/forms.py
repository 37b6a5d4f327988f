"""Reading a submission: `POST /requests` of GeoReport v2, with all that is wrong told at once."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from direct311.intake.domain.catalogue import Attribute, Catalogue, ServiceType
from direct311.intake.open311.problems import Problem
from direct311.intake.open311.queries import jurisdiction_problem
from direct311.schemas.events import Place

LONGEST_DESCRIPTION = 4000
LONGEST_TEXT_ANSWER = 4000
LONGEST_ANSWER = 500
MOST_VALUES = 50
MOST_MEDIA_URLS = 10
JURISDICTION = "miamidade"

CONTACT_LIMITS: Mapping[str, int] = {
    "email": 254,
    "first_name": 100,
    "last_name": 100,
    "phone": 60,
    "account_id": 200,
    "device_id": 200,
}
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@]+\.[^\s@.]+")
_ATTRIBUTE = re.compile(r"attribute\[([A-Za-z0-9_-]{1,60})\](\[\])?")
# Tabs and line ends are text; other control characters are not.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Submission:
    """A submission that can be taken. `attributes`: answers by code; `sealed_answers`: those that a
    type wants sealed, by the vault's field. `contact`: what was given of the contact fields."""

    jurisdiction_id: str
    service_code: str
    place: Place
    description: str = ""
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sealed_answers: Mapping[str, str] = field(default_factory=dict)
    contact: Mapping[str, str] = field(default_factory=dict)
    media_urls: tuple[str, ...] = ()
    client_request_id: str | None = None
    policy_version: str | None = None
    email_notice_version: str | None = None

    def canonical(self) -> bytes:
        """The same bytes for the same content, whatever order it was sent in."""
        place = self.place.model_dump(exclude_none=True)
        content = {
            "service": self.service_code,
            "place": place,
            "text": " ".join(self.description.split()),
            "attributes": {code: list(values) for code, values in self.attributes.items()},
            "sealed": dict(self.sealed_answers),
            "contact": dict(self.contact),
            "media": list(self.media_urls),
        }
        return json.dumps(content, sort_keys=True, ensure_ascii=False).encode(
            "utf-8", "surrogatepass"
        )


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
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        if value.strip():
            given.setdefault(name, []).append(value)
    problems: list[Problem] = []
    single = _Singles(given, problems)

    jurisdiction = jurisdiction_problem(single("jurisdiction_id"))
    if jurisdiction:
        problems.append(jurisdiction)
    service = _service(single("service_code"), catalogue, at, problems)
    place = _place(single, problems)
    description = single("description") or ""
    if len(description) > LONGEST_DESCRIPTION:
        problems.append(
            Problem(400, "description", f"description may have {LONGEST_DESCRIPTION} characters")
        )
    if _CONTROL.search(description):
        problems.append(
            Problem(
                400, "description", "description must be plain text, without control characters"
            )
        )
    contact = _contact(single, problems)
    answers = _answers(given, service, problems)
    media_urls = _media_urls(given, problems)
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
            description=description.strip(),
            attributes={code: v for code, v in answers.items() if code not in sealed},
            sealed_answers={
                sealed[code]: values[0] for code, values in answers.items() if code in sealed
            },
            contact=contact,
            media_urls=media_urls,
            client_request_id=key,
            policy_version=versions["policy_version"],
            email_notice_version=versions["email_notice_version"],
        ),
        (),
    )


class _Singles:
    """Fields that may be sent once."""

    def __init__(self, given: Mapping[str, list[str]], problems: list[Problem]) -> None:
        self._given = given
        self._problems = problems

    def __call__(self, name: str) -> str | None:
        values = self._given.get(name)
        if values is None:
            return None
        if len(values) > 1:
            self._problems.append(Problem(400, name, f"{name} may be sent once"))
        return values[0].strip() if name != "description" else values[0]


def _service(
    code: str | None, catalogue: Catalogue, at: datetime, problems: list[Problem]
) -> ServiceType | None:
    if code is None:
        problems.append(Problem(400, "service_code", "service_code is required"))
        return None
    service = catalogue.offered(code, at.date())
    if service is None:
        problems.append(
            Problem(404, "service_code", "service_code must be one of those in GET /services")
        )
        return None
    return service


def _place(single: Callable[[str], str | None], problems: list[Problem]) -> Place | None:
    latitude = _degrees("lat", single("lat"), 90, problems)
    longitude = _degrees("long", single("long"), 180, problems)
    address = single("address_string")
    address_id = single("address_id")
    for name, text in (("address_string", address), ("address_id", address_id)):
        if text is not None and (len(text) > 300 or _CONTROL.search(text)):
            problems.append(Problem(400, name, f"{name} may have 300 characters of plain text"))
            return None
    if (single("lat") is None) != (single("long") is None):
        missing = "lat" if single("lat") is None else "long"
        problems.append(Problem(400, missing, "lat and long must be sent together"))
        return None
    if latitude is None and address is None and address_id is None:
        if single("lat") is None:
            problems.append(
                Problem(400, "lat", "lat and long, address_string or address_id is required")
            )
        return None
    return Place(latitude=latitude, longitude=longitude, address=address, address_id=address_id)


def _degrees(name: str, text: str | None, limit: int, problems: list[Problem]) -> float | None:
    if text is None:
        return None
    try:
        value = float(text) if len(text) <= 40 else math.nan
    except ValueError:
        value = math.nan
    if not -limit <= value <= limit:
        problems.append(
            Problem(400, name, f"{name} must be decimal degrees from -{limit} to {limit} (WGS 84)")
        )
        return None
    return value


def _contact(single: Callable[[str], str | None], problems: list[Problem]) -> dict[str, str]:
    contact = {}
    for name, limit in CONTACT_LIMITS.items():
        text = single(name)
        if text is None:
            continue
        if len(text) > limit or _CONTROL.search(text):
            problems.append(Problem(400, name, f"{name} may have {limit} characters of plain text"))
        elif name == "email" and not _EMAIL.fullmatch(text):
            problems.append(Problem(400, name, "email must be an address such as name@example.org"))
        else:
            contact[name] = text
    return contact


def _answers(
    given: Mapping[str, list[str]], service: ServiceType | None, problems: list[Problem]
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
    known = {each.code: each for each in service.attributes if each.variable}
    if any(code not in known for code in sent):
        problems.append(
            Problem(
                400, "attribute", "attribute codes must be those of GET /services/{service_code}"
            )
        )
    answers = {}
    for code, attribute in known.items():
        answered = tuple(value.strip() for value in sent.get(code, ()))
        if not answered:
            # What a complaint lacks to be enforced, it may lack: then it is held, not refused.
            if attribute.required and attribute.sealed_as is None:
                problems.append(
                    Problem(400, f"attribute[{code}]", f"attribute[{code}] is required")
                )
            continue
        wrong = _wrong(attribute, answered)
        if wrong:
            problems.append(Problem(400, f"attribute[{code}]", f"attribute[{code}] {wrong}"))
        else:
            answers[code] = answered
    return answers


def _wrong(attribute: Attribute, values: tuple[str, ...]) -> str | None:
    """What an answer must be, where it is not."""
    many = attribute.datatype == "multivaluelist"
    if len(values) > (MOST_VALUES if many else 1):
        return f"may have {MOST_VALUES} values" if many else "may be sent once"
    longest = LONGEST_TEXT_ANSWER if attribute.datatype == "text" else LONGEST_ANSWER
    if any(len(value) > longest or _CONTROL.search(value) for value in values):
        return f"may have {longest} characters of plain text"
    if attribute.datatype in ("singlevaluelist", "multivaluelist"):
        keys = {choice.key for choice in attribute.values}
        if not keys.issuperset(values):
            return "must be one of the keys in the type's definition"
    if attribute.datatype == "number" and not _is_number(values[0]):
        return "must be a number"
    if attribute.datatype == "datetime" and not _is_time(values[0]):
        return "must be a time such as 2026-01-31T12:00:00Z"
    return None


def _is_number(text: str) -> bool:
    try:
        return len(text) <= 40 and math.isfinite(float(text))
    except ValueError:
        return False


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _media_urls(given: Mapping[str, list[str]], problems: list[Problem]) -> tuple[str, ...]:
    urls = [value.strip() for name in ("media_url", "media_url[]") for value in given.get(name, ())]
    if len(urls) > MOST_MEDIA_URLS:
        problems.append(Problem(400, "media_url", f"media_url may be sent {MOST_MEDIA_URLS} times"))
    if any(not _is_web_address(url) for url in urls):
        problems.append(Problem(400, "media_url", "media_url must be an http or https address"))
    return tuple(urls)


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and len(url) <= 2000


def _version(name: str, text: str | None, problems: list[Problem]) -> str | None:
    if text is not None and not _KEY.fullmatch(text[:100]):
        problems.append(Problem(400, name, f"{name} must be a version from GET /v1/policy"))
        return None
    return text
