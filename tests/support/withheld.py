"""What decisions withhold, for tests of the leak check."""

from collections.abc import Mapping, Sequence

from direct311.intake.leaks.domain import WithheldText
from direct311.intake.refusals import NO_SUCH_REQUEST
from direct311.runtime.access.disclosures import Disclosures, under_case
from direct311.runtime.access.ledger import Access
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.vault.vault import Vault
from tests.support.intake_stores import InMemoryRequests


class InMemoryWithheld:
    """`Withheld`: which spans of a field are withheld (`None`: all of it), by record and field,
    over a real vault; `released`: what was withheld then, by record and hash of the decisions."""

    def __init__(self, requests: InMemoryRequests, vault: Vault, disclosures: Disclosures) -> None:
        self._requests = requests
        self._vault = vault
        self._disclosures = disclosures
        self.decided: dict[str, Mapping[str, Sequence[tuple[int, int]] | None]] = {}
        self.released: dict[tuple[str, str], Mapping[str, Sequence[tuple[int, int]] | None]] = {}

    async def of(
        self, caller: Caller, case_id: str, record_id: str, operation: str
    ) -> Sequence[WithheldText]:
        if await self._requests.get(record_id) is None:
            raise NO_SUCH_REQUEST
        return await self._opened(
            caller, case_id, record_id, self.decided.get(record_id, {}), operation
        )

    async def when_released(
        self, caller: Caller, case_id: str, record_id: str, decisions: str, operation: str
    ) -> Sequence[WithheldText]:
        if await self._requests.get(record_id) is None:
            return ()
        decided = self.released.get((record_id, decisions), {})
        return await self._opened(caller, case_id, record_id, decided, operation)

    async def _opened(
        self,
        caller: Caller,
        case_id: str,
        record_id: str,
        decided: Mapping[str, Sequence[tuple[int, int]] | None],
        operation: str,
    ) -> Sequence[WithheldText]:
        request = await self._requests.get(record_id)
        if request is None:
            raise NO_SUCH_REQUEST
        access = Access(
            caller,
            action="view",
            purpose="public_records",
            operation=operation,
            fields=tuple(decided),
            record_ids=(record_id,),
            reference=case_id,
        )
        facts = await self._disclosures.facts_for(access, RecordFacts(record_id))
        opened = await self._vault.open(under_case(access, facts), facts, request.sealed)
        found: dict[tuple[str, bool, str], WithheldText] = {}
        for field, value in opened.items():
            text, spans = value.decode(), decided[field]
            for part in [text] if spans is None else [text[start:end] for start, end in spans]:
                found[field, spans is None, part] = WithheldText(field, spans is None, part)
        return tuple(found.values())
