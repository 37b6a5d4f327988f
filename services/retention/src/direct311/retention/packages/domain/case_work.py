"""What other work on a case contributes to its package."""

from collections.abc import Mapping, Sequence
from typing import Any

from direct311.retention.case_file.charges import fees_of, unpaid
from direct311.retention.cases.domain import CaseFile


def search_log(case: CaseFile) -> Sequence[Mapping[str, Any]]:
    """Where somebody searched for the case: shape, hits and minutes, without what was sought."""
    return [each.model_dump(mode="json") for each in case.searches.searches]


def fees(case: CaseFile) -> Mapping[str, Any]:
    """What the case costs its requester."""
    return fees_of(case)


def is_unpaid(case: CaseFile) -> bool:
    """Whether something must be paid before anything goes out."""
    return unpaid(case)
