"""The texts that a case's decisions withhold, as the leak check needs them."""

import dataclasses
from dataclasses import dataclass

MOST_RECORDS = 500
"""The most records in one question: as many as a grant can name."""


@dataclass(frozen=True, slots=True)
class WithheldText:
    """A text that does not go out: all of a field, an entry of one, or a span. `field`: the sealed
    field that it is in. `whole`: it is all of that field's text, or of an entry."""

    field: str
    whole: bool
    text: str = dataclasses.field(repr=False)
