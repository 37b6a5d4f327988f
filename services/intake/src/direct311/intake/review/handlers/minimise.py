"""What law enforcement does not get, because its instrument does not cover it.

An instrument opens fields of records. What the exemptions withhold from the public goes out in
these fields; other people who stand in their texts do not, and neither does any other field. Each
thing that is left out has its row, like anything that is withheld from the public.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from direct311.intake.indexes.ports import PersonIndexes
from direct311.intake.request import ServiceRequest
from direct311.intake.review.domain.places import FieldTexts, Item
from direct311.intake.review.domain.rendering import WithheldRow
from direct311.intake.review.domain.reviews import CaseReview
from direct311.intake.review.handlers.door import Granted
from direct311.redaction import Kind
from direct311.runtime.access.exemptions import Exemption
from direct311.runtime.access.grants import PERSON_INDEX
from direct311.runtime.errors import RefusedError
from direct311.schemas.claims import holder_of

LAW_ENFORCEMENT = "law_enforcement"
"""The kind of case."""
INDEXED: Mapping[Kind, str] = {"telephone": "phone", "email": "email", "name": "first_name"}
"""By which field a value that stands in a text can be recognized as the reporter's own."""
Spans = Mapping[str, Sequence[tuple[int, int, Kind]]]


def others_in(
    request: ServiceRequest,
    fields: Iterable[FieldTexts],
    spans: Spans,
    indexes: PersonIndexes,
    person: Sequence[str],
) -> Iterator[Item]:
    """The parts of texts that tell about somebody, but for what is the reporter's own.

    :param spans: what the redaction library finds in each text, by place.
    :param person: the fields of the reporter.
    """
    for field in fields:
        if field.field in person:
            continue
        for entry in field.entries:
            if field.field == "update_contacts":
                name = entry.place.rpartition("/")[2]
                if name not in person or not _is_own(request, indexes, name, entry.text):
                    yield Item(entry.place)
                continue
            for start, end, kind in spans[entry.place]:
                name = INDEXED.get(kind, "")
                if not name or not _is_own(request, indexes, name, entry.text[start:end]):
                    yield Item(entry.place, start, end)


def _is_own(request: ServiceRequest, indexes: PersonIndexes, field: str, text: str) -> bool:
    """Whether the reporter's own index has this value."""
    own = {each for values in request.indexes.values() for each in values}
    return any(each in own for values in indexes.of({field: text}).values() for each in values)


def closed_fields(granted: Granted) -> tuple[str, ...]:
    """The sealed fields of the record that the grant does not open."""
    return tuple(
        sorted(
            field
            for field in granted.request.sealed
            if holder_of(field) == "intake"
            and field != PERSON_INDEX
            and field not in granted.fields
        )
    )


def closed_rows(
    granted: Granted, review: CaseReview, exemption: Exemption | None
) -> tuple[WithheldRow, ...]:
    """A row for each of these fields. Who prepared the grant decided about them, when preparing
    it.

    :raises RefusedError: the county's exemptions have no code for that.
    """
    fields = closed_fields(granted)
    if not fields:
        return ()
    if exemption is None or granted.prepared_at is None:
        raise RefusedError(
            "exemption", "No code is in force for what an instrument does not cover."
        )
    return tuple(
        WithheldRow(
            Item(field),
            exemption.code,
            granted.prepared_by,
            granted.prepared_at,
            review.version,
        )
        for field in fields
    )
