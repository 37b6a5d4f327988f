"""Until when the entries of a disclosure case are withheld: the case's latest event decides.

An entry says until when it is exempt as far as was known when the access happened. The case's later
events end that time or prolong it, for all its entries together. Events may be repeated, and may
come in any order: the highest version counts. When an end has passed, entries open by themselves.

What is stored has a tag, HMAC-SHA-256 under the key that vouches for the index. A case whose tag is
wrong counts as exempt without an end, so that an edit in the database opens nothing.
"""

import hmac
from collections.abc import Collection, Sequence
from datetime import datetime

from direct311.audit.index.domain import CaseExemption, Cases
from direct311.audit.index.ports import CaseExemptions
from direct311.audit.log.handlers.keyring import KeyRing
from direct311.runtime.clock import Clock
from direct311.schemas import Event
from direct311.schemas import events as ev
from direct311.schemas.model import Model
from direct311.schemas.secrecy import LAW_ENFORCEMENT, NO_END, DelayedNotice

_LABEL = b"direct311-case-exemption-v1\n"


class CaseSecrecy:
    """Notes what cases say about their exemption, and answers from it. A `KnownCases`."""

    def __init__(self, exemptions: CaseExemptions, keys: KeyRing, clock: Clock) -> None:
        self._exemptions = exemptions
        self._keys = keys
        self._clock = clock
        self._key: bytes | None = None

    async def note(
        self,
        case_id: str,
        version: int,
        exempt_until: datetime | None,
        *,
        law_enforcement: bool,
        notice: DelayedNotice | None = None,
    ) -> None:
        """What version `version` of a case says: exempt until then, or not exempt (`None`).

        `law_enforcement`: entries of such a case are withheld until the case says otherwise.
        `notice`: the document that delays the notice to the subject.

        :raises KeyProviderError: the key does not open.
        """
        said = CaseExemption(
            case_id=case_id, version=version, exempt_until=exempt_until, notice=notice
        )
        tagged = said.tagged(_tag(await self._tag_key(), said))
        await self._exemptions.keep(tagged, matters=law_enforcement or exempt_until is not None)

    async def take(self, event: Event[Model]) -> None:
        """Note what an event of a case says; other events say nothing.

        :raises KeyProviderError: the key does not open.
        :raises NoticeError: the event prolongs a delayed notice without a document; what the case
            said before still counts.
        """
        data = event.data
        if not isinstance(data, ev.DisclosureEvent):
            return
        exemption = data.exemption
        exemption.check_after(await self._before(data))
        await self.note(
            data.case_id,
            data.version,
            exemption.until if exemption.exempt else None,
            law_enforcement=data.purpose == LAW_ENFORCEMENT,
            notice=exemption.notice,
        )

    async def all(self) -> Cases:
        return await self._checked(await self._exemptions.that_matter())

    async def of(self, case_ids: Collection[str]) -> Cases:
        return await self._checked(await self._exemptions.of(case_ids)) if case_ids else Cases()

    async def _before(self, data: ev.DisclosureEvent) -> ev.CaseExemption:
        """What the case said before this version, as far as it is stored and vouched for."""
        key = await self._tag_key()
        for said in await self._exemptions.of([data.case_id]):
            genuine = hmac.compare_digest(said.tag, _tag(key, said))
            if genuine and said.version < data.version and said.exempt_until is not None:
                return ev.CaseExemption(exempt=True, until=said.exempt_until, notice=said.notice)
        return ev.CaseExemption()

    async def _checked(self, found: Sequence[CaseExemption]) -> Cases:
        if not found:
            return Cases()
        key = await self._tag_key()
        return Cases(
            {
                said.case_id: said.exempt_until
                if hmac.compare_digest(said.tag, _tag(key, said))
                else NO_END
                for said in found
            }
        )

    async def _tag_key(self) -> bytes:
        if self._key is None:
            self._key = await self._keys.index_key(self._clock.now())
        return self._key


def _tag(key: bytes, said: CaseExemption) -> bytes:
    """The tag of what a case says, in one fixed form. What was stored before there were notices has
    none in it."""
    left_out = {"tag"} if said.notice else {"tag", "notice"}
    return hmac.digest(key, _LABEL + said.model_dump_json(exclude=left_out).encode(), "sha256")
