"""The texts that a case's decisions withhold, for whoever looks for them in what goes out."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from direct311.intake.review.domain.rendering import rows_of, withheld_texts
from direct311.intake.review.handlers.door import Door
from direct311.intake.review.handlers.reviewed import reviewed
from direct311.intake.review.ports import Reviews
from direct311.runtime.access.rules import Caller


@dataclass(frozen=True, slots=True)
class WithheldPart:
    """A text that does not go out. `whole`: it is all of its field's text, or of an entry."""

    field: str
    whole: bool
    text: str = dataclasses.field(repr=False)


class WithheldTexts:
    """Opens what the decisions on a record withhold."""

    def __init__(self, door: Door, store: Reviews) -> None:
        self._door = door
        self._store = store

    async def of(
        self, caller: Caller, case_id: str, record_id: str, operation: str
    ) -> Sequence[WithheldPart]:
        """Each withheld text of the fields that the grant names. Opening them is an access.

        :raises RefusedError: there is no such request, a rule refuses, the record is not reviewed
            or has changed since, or the log cannot be written.
        """
        granted = await self._door.granted(caller, case_id, record_id)
        if not await self._door.allows(granted, "view", operation):
            # It refuses, and writes the refusal down.
            await self._door.authorise(granted, "view", operation)
        review = reviewed(
            await self._store.of(record_id),
            case_id,
            granted.fields,
            self._door.content_of(granted.request),
        )
        # Which code a row has makes no difference here.
        rows = rows_of(review.decisions, granted.fields, lambda _: 0)
        if not rows:
            return ()
        opened = await self._door.opened(granted, "view", operation)
        return [
            WithheldPart(row.item.field, row.item.is_whole, text)
            for texts in opened
            for row in rows
            if row.item.field == texts.field
            for text in withheld_texts(texts, row)
        ]
