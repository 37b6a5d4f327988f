"""What a rendering withholds, as texts: found by its rows, and kept sealed with the record."""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from direct311.intake.review.domain.places import FieldTexts, Item
from direct311.intake.review.domain.rendering import withheld_texts


@dataclass(frozen=True, slots=True)
class WithheldPart:
    """A text that does not go out. `whole`: it is all of its field's text, or of an entry."""

    field: str
    whole: bool
    text: str = dataclasses.field(repr=False)


def parts_of(texts: Iterable[FieldTexts], items: Sequence[Item]) -> list[WithheldPart]:
    """The texts that these items withhold of these fields."""
    return [
        WithheldPart(item.field, item.is_whole, text)
        for field in texts
        for item in items
        if item.field == field.field
        for text in withheld_texts(field, item)
    ]


def sealed_form(parts: Iterable[WithheldPart]) -> bytes:
    """The bytes that are sealed; `read_sealed` reads them."""
    return json.dumps([[each.field, each.whole, each.text] for each in parts]).encode()


def read_sealed(plain: bytes) -> list[WithheldPart]:
    """What `sealed_form` wrote."""
    return [WithheldPart(field, whole, text) for field, whole, text in json.loads(plain)]


def sealed_name(case_id: str, decisions: str) -> str:
    """What binds the ciphertext to the case and the decisions; the key binds the record."""
    return f"withheld/{case_id}/{decisions}"
