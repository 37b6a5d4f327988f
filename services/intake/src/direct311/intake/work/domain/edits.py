"""What staff ask to be changed of a request, and what its type and state allow."""

import hmac
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from direct311.intake.catalogue.domain.types import ServiceType
from direct311.intake.request import (
    CLOSED,
    MOST_EDITS,
    NAME_AND_ADDRESS,
    SUPERSEDED,
    ServiceRequest,
)
from direct311.runtime.errors import RefusedError
from direct311.schemas import events as ev

CHOICES = frozenset({"singlevaluelist", "multivaluelist"})
"""Staff answer only questions of these types: an answer in free words may be personal, and would
have to be sealed."""


class StaleEditError(RefusedError):
    """Somebody else has edited the request since the caller read it. `present`: the request as it
    is now."""

    def __init__(self, present: ServiceRequest) -> None:
        super().__init__("stale", "The request was edited since you read it. Read it again.")
        self.present = present


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to be changed, and why; `None` leaves a part as it is. `expected`: how many edits the
    request had when the caller read it; `None` if they did not say. `answers`: keys of the lists,
    by question."""

    expected: int | None
    reason: str
    service_code: str | None = None
    answers: Mapping[str, tuple[str, ...]] | None = None
    place: ev.Place | None = None

    def content(self, key: bytes, by: str) -> str:
        """A keyed hash of who asked for what, by which a retry is recognized."""
        asked = [
            by,
            self.expected,
            self.reason,
            self.service_code,
            sorted(self.answers.items()) if self.answers is not None else None,
            self.place.model_dump() if self.place is not None else None,
        ]
        return hmac.digest(key, json.dumps(asked, ensure_ascii=False).encode(), sha256).hex()


def repeats(request: ServiceRequest, edit: Edit, content: str) -> bool:
    """Whether the request's next edit after those that the caller had read is this very one."""
    if edit.expected is None:
        return False
    later = request.edits[edit.expected : edit.expected + 1]
    return bool(later) and hmac.compare_digest(later[0].content, content)


def check_current(request: ServiceRequest, edit: Edit) -> None:
    """:raises StaleEditError: the request was edited since the caller read it.
    :raises RefusedError: the caller did not say what they read.
    """
    if edit.expected is None:
        raise RefusedError(
            "malformed", "Send the ETag of the request as If-Match.", field="if_match"
        )
    if len(request.edits) != edit.expected:
        raise StaleEditError(request)


def check_movable(request: ServiceRequest) -> None:
    """:raises RefusedError: the request is closed."""
    if request.status in CLOSED:
        raise RefusedError(
            "closed",
            "The request is closed: its type and answers can be corrected, but its place only"
            " while it is open.",
            field="place",
        )


def moved_indexes(
    request: ServiceRequest, place: Collection[str], protecting: Callable[[str], bool]
) -> Mapping[str, tuple[str, ...]]:
    """The request's index values at a new place. The old place's values go, except those that the
    registry protects: what was written and photographed there stays protected.

    :param place: the old place's values, also if it was not checked yet.
    """
    kept = {value for value in place if protecting(value)}
    indexes = {kind: values for kind, values in request.indexes.items() if kind != "place"}
    if kept:
        indexes[SUPERSEDED] = tuple(sorted({*request.indexes.get(SUPERSEDED, ()), *kept}))
    return indexes


def check_room(request: ServiceRequest) -> None:
    """:raises RefusedError: the request was edited as often as it may be."""
    if len(request.edits) >= MOST_EDITS:
        raise RefusedError("full", f"A request is edited at most {MOST_EDITS} times.")


def answered(
    before: Sequence[ev.AttributeValue],
    service: ServiceType,
    answers: Mapping[str, tuple[str, ...]],
) -> tuple[ev.AttributeValue, ...]:
    """The answers to the type's questions: the earlier ones that it asks for too, and the new ones.

    :raises RefusedError: the type has no such question or choice, or it is answered in words.
    """
    for code, keys in answers.items():
        question = service.questions.get(code)
        if question is None or question.datatype not in CHOICES:
            raise RefusedError(
                "malformed",
                "Only the type's questions with a list of choices can be answered here.",
                field="attributes",
            )
        one = question.datatype == "singlevaluelist"
        if not {*keys} <= {each.key for each in question.values} or (one and len(keys) > 1):
            raise RefusedError(
                "malformed",
                "An answer is one of the question's keys, or several where it takes them.",
                field="attributes",
            )
    known = {each.code: each.values for each in before if _still_asked(each, service)}
    known |= {code: tuple(keys) for code, keys in answers.items()}
    return tuple(
        ev.AttributeValue(code=code, values=known[code])
        for code in service.questions
        if known.get(code)
    )


def _still_asked(answer: ev.AttributeValue, service: ServiceType) -> bool:
    """Whether the type has the same question, and a choice that was made is one of its own."""
    question = service.questions.get(answer.code)
    if question is None or question.sealed_as is not None:
        return False
    if not question.is_list:
        return True
    return {*answer.values} <= {each.key for each in question.values}


def must_be_held(request: ServiceRequest, service: ServiceType) -> bool:
    """Whether the type needs a reporter with name and address, and the request has none."""
    return service.flags.enforcement and not request.sealed.keys() >= NAME_AND_ADDRESS
