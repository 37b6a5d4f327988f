"""Submissions as the two readers and the rules make them, in the words of each API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from direct311.intake.catalogue.domain.types import Catalogue, ServiceType
from direct311.intake.open311.wire.problems import problem
from direct311.intake.problems import Problem
from direct311.intake.submission.api import forms, orders
from direct311.intake.submission.domain.submission import Submission
from direct311.intake.submission.handlers.check import APP, GEOREPORT, check
from direct311.runtime.errors import FieldProblem

MOST_FILES = 5


@dataclass(frozen=True)
class ReadForm:
    """The type that was asked for, and the submission if nothing is wrong."""

    service: ServiceType | None
    submission: Submission | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class ReadJson:
    """The same problems in the words of `/v1`."""

    service: ServiceType | None
    submission: Submission | None
    problems: tuple[FieldProblem, ...]


def read_form(pairs: Sequence[tuple[str, str]], catalogue: Catalogue, at: datetime) -> ReadForm:
    """A form of GeoReport v2."""
    found = check(forms.draft_of(pairs), catalogue, at, GEOREPORT, most_files=MOST_FILES)
    return ReadForm(found.service, found.submission, tuple(map(problem, found.wrong)))


def read_json(members: Mapping[str, object], catalogue: Catalogue, at: datetime) -> ReadJson:
    """A JSON object whose members have the declared types."""
    order = orders.SubmissionOrder.model_validate(members)
    found = check(orders.draft_of(order), catalogue, at, APP, most_files=MOST_FILES)
    problems = orders.malformed(found.wrong).problems if found.wrong else ()
    return ReadJson(found.service, found.submission, problems)
