"""A submission in JSON, read by the rules of the form: one set of rules for both."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from direct311.intake.catalogue.domain.types import Catalogue, ServiceType
from direct311.intake.request import ContactWay
from direct311.intake.submission.api.forms import read_submission
from direct311.intake.submission.domain.submission import Submission
from direct311.runtime.errors import FieldProblem

_ATTRIBUTE = re.compile(r"attribute\[([A-Za-z0-9_-]{1,60})\]")
_NOT_OF_A_FORM = ("attributes", "uploads")
_NEEDED: Mapping[ContactWay, str] = {"email": "email", "phone": "phone", "text": "phone"}


@dataclass(frozen=True, slots=True)
class ReadJson:
    """The type that was asked for, and the submission, if nothing is wrong."""

    service: ServiceType | None
    submission: Submission | None
    problems: tuple[FieldProblem, ...]


def read_json(
    given: Mapping[str, object],
    contact_by: Sequence[ContactWay] | None,
    catalogue: Catalogue,
    at: datetime,
) -> ReadJson:
    """Check the members of a JSON object against the rules and the type's questions.

    What was sent as null or empty counts as not sent. Problems name members, never values.
    """
    problems: list[FieldProblem] = []
    attributes = given.get("attributes")
    pairs = [(name, _text(value)) for name, value in given.items() if name not in _NOT_OF_A_FORM]
    if isinstance(attributes, Mapping):
        pairs += _answers(attributes, problems)
    read = read_submission(pairs, catalogue, at)
    problems += [_in_json(each.field, each.description) for each in read.problems]
    if given.get("email") and not given.get("email_notice_version"):
        wrong = (
            "email_notice_version is required with an e-mail address: show the notice from "
            "GET /v1/policy first (section 668.6076, F.S.)"
        )
        problems.append(FieldProblem(field="email_notice_version", detail=wrong))
    ways = tuple(dict.fromkeys(contact_by)) if contact_by is not None else None
    for way in ways or ():
        if not given.get(_NEEDED[way]):
            wrong = f"contact_consent.by may name {way} only with {_NEEDED[way]}"
            problems.append(FieldProblem(field="contact_consent.by", detail=wrong))
    if problems or read.submission is None:
        return ReadJson(read.service, None, tuple(dict.fromkeys(problems)))
    uploads = given.get("uploads")
    named = tuple(dict.fromkeys(uploads)) if isinstance(uploads, tuple) else ()
    return ReadJson(read.service, replace(read.submission, contact_by=ways, uploads=named), ())


def _answers(
    attributes: Mapping[str, object], problems: list[FieldProblem]
) -> Iterator[tuple[str, str]]:
    for code, value in attributes.items():
        values = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(each, bool | list | dict) for each in values):
            # Which one is not told: its name may be anything.
            wrong = "attributes must be texts, numbers or lists of them"
            problems.append(FieldProblem(field="attributes", detail=wrong))
            continue
        yield from ((f"attribute[{code}]", _text(each)) for each in values if each is not None)


def _text(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


def _in_json(field: str, description: str) -> FieldProblem:
    """The same problem in the words of JSON."""
    if match := _ATTRIBUTE.fullmatch(field):
        name = f"attributes.{match[1]}"
        return FieldProblem(field=name, detail=description.replace(field, name))
    if field == "attribute":
        wrong = "attributes must have codes of the type's definition as names"
        return FieldProblem(field="attributes", detail=wrong)
    return FieldProblem(field=field, detail=description)
