"""What other work on a case contributes to its package."""

from collections.abc import Mapping, Sequence
from typing import Any

from direct311.retention.cases.domain import CaseFile


def search_log(case: CaseFile) -> Sequence[Mapping[str, Any]]:
    """Where somebody searched for the case: shape, hits and minutes, without what was sought. A
    case file has no such entries yet."""
    return ()


def fees(case: CaseFile) -> Mapping[str, Any]:
    """What the case costs its requester. A case file has no charges yet."""
    return {}


def is_unpaid(case: CaseFile) -> bool:
    """Whether something must be paid before anything goes out. A case file has no charges yet."""
    return False
