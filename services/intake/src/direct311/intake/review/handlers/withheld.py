"""The texts that a case's decisions withhold, for whoever looks for them in what goes out."""

import base64
from collections.abc import Sequence
from dataclasses import replace

from direct311.intake.refusals import NO_SUCH_REQUEST
from direct311.intake.review.domain.places import FieldTexts, Item, item_of
from direct311.intake.review.domain.rendering import rows_of
from direct311.intake.review.domain.reviews import Rendered
from direct311.intake.review.domain.withheld import (
    WithheldPart,
    parts_of,
    read_sealed,
    sealed_name,
)
from direct311.intake.review.handlers.door import Door
from direct311.intake.review.handlers.reviewed import reviewed
from direct311.intake.review.ports import Reviews
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.vault.vault import DataKey


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
        return parts_of(opened, [row.item for row in rows])

    async def when_released(
        self, caller: Caller, case_id: str, record_id: str, decisions: str, operation: str
    ) -> Sequence[WithheldPart]:
        """Each text that was withheld when these decisions (their hash) rendered the record, also
        if it has changed since. Opening them is an access. A record that was destroyed since has
        none any more.

        :raises RefusedError: a rule refuses, or the log cannot be written.
        """
        try:
            granted = await self._door.granted(caller, case_id, record_id)
        except RefusedError as error:
            if error.code == NO_SUCH_REQUEST.code:
                return ()
            raise
        review = (await self._store.of(record_id)).cases.get(case_id)
        renderings = review.rendered_by(decisions) if review else ()
        items = [(each, _items(each)) for each in renderings if each.withheld]
        fields = sorted({item.field for _, found in items for item in found})
        if granted.fields and not fields:
            return ()
        # All that was withheld must be in a grant now: what is not is refused by its rule.
        needed = replace(granted, fields=tuple(fields) if granted.fields else ())
        async with self._door.opening(needed, "view", operation) as (key, texts):
            found = [
                part
                for rendered, withheld in items
                for part in self._kept(key, case_id, record_id, rendered, withheld, texts)
            ]
        return list(dict.fromkeys(found))

    def _kept(
        self,
        key: DataKey,
        case_id: str,
        record_id: str,
        rendered: Rendered,
        items: Sequence[Item],
        texts: Sequence[FieldTexts],
    ) -> Sequence[WithheldPart]:
        if rendered.kept:
            name = sealed_name(case_id, rendered.decisions)
            return read_sealed(key.open(name, base64.b64decode(rendered.kept)))
        # From before the texts were kept: those that have not changed since.
        shown = self._door.shown(record_id, texts)
        same = {place for place, each in shown.items() if rendered.texts.get(place) == each.content}
        return parts_of([each.only(same) for each in texts], items)


def _items(rendered: Rendered) -> tuple[Item, ...]:
    return tuple(item for each in rendered.withheld if (item := item_of(each)))
