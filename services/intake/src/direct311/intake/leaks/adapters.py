"""What a case's decisions withhold, from the reviews of the case."""

from collections.abc import Sequence

from direct311.intake.leaks.domain import WithheldText
from direct311.intake.review.domain.withheld import WithheldPart
from direct311.intake.review.handlers.withheld import WithheldTexts
from direct311.runtime.access.rules import Caller


class ReviewedTexts:
    """Implements `Withheld`."""

    def __init__(self, texts: WithheldTexts) -> None:
        self._texts = texts

    async def of(
        self, caller: Caller, case_id: str, record_id: str, operation: str
    ) -> Sequence[WithheldText]:
        found = await self._texts.of(caller, case_id, record_id, operation)
        return _texts(found)

    async def when_released(
        self, caller: Caller, case_id: str, record_id: str, decisions: str, operation: str
    ) -> Sequence[WithheldText]:
        return _texts(
            await self._texts.when_released(caller, case_id, record_id, decisions, operation)
        )


def _texts(found: Sequence[WithheldPart]) -> Sequence[WithheldText]:
    return [WithheldText(each.field, each.whole, each.text) for each in found]
