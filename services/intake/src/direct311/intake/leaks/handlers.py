"""Fingerprints of what a case's decisions withhold."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from direct311.intake.leaks.domain import WithheldText
from direct311.intake.leaks.ports import Withheld
from direct311.redaction.leak_values import values_in
from direct311.redaction.leaks import Fingerprint, WithheldValue, fingerprints
from direct311.runtime.access.rules import Caller

OPERATION = "POST /internal/cases/{case_id}/leaks"
AT_ONCE = 10
"""How many records are opened at the same time."""

_KIND_OF_FIELD: Mapping[str, str] = MappingProxyType(
    {
        "first_name": "name",
        "last_name": "name",
        "phone": "telephone",
        "email": "email",
        "reporter_address": "address",
        "account_id": "identifier",
        "device_id": "identifier",
        "device_position": "identifier",
        "client_address": "identifier",
    }
)
"""The other fields are texts."""
_NAMED = ("first_name", "last_name")


class FingerprintWithheld:
    """The use case behind `POST /internal/cases/{case_id}/leaks`."""

    def __init__(self, withheld: Withheld) -> None:
        self._withheld = withheld

    async def __call__(
        self,
        caller: Caller,
        case_id: str,
        record_ids: Sequence[str],
        key: bytes,
        released: Sequence[tuple[str, str]] = (),
    ) -> Sequence[Fingerprint]:
        """What to look for in a package of these records, under the key of its build. The key is
        used for this answer only, and kept nowhere.

        `released`: records that went out with earlier parts of the case, each with the hash of the
        decisions by which it was rendered then.

        Each record is an access of the caller. Repeating the call with the same key gives the same
        fingerprints, after further entries.

        :raises RefusedError: as `Withheld.of`, for any of the records.
        """
        values: list[WithheldValue] = []
        asked: list[tuple[str, str | None]] = [(each, None) for each in record_ids]
        asked += released
        for start in range(0, len(asked), AT_ONCE):
            some = asked[start : start + AT_ONCE]
            texts = await asyncio.gather(*(self._of(caller, case_id, *each) for each in some))
            for (record_id, _), found in zip(some, texts, strict=True):
                values += values_of(record_id, found)
        return await asyncio.to_thread(fingerprints, key, values)

    async def _of(
        self, caller: Caller, case_id: str, record_id: str, decisions: str | None
    ) -> Sequence[WithheldText]:
        if decisions is None:
            return await self._withheld.of(caller, case_id, record_id, OPERATION)
        return await self._withheld.when_released(caller, case_id, record_id, decisions, OPERATION)


def values_of(record_id: str, texts: Sequence[WithheldText]) -> Iterator[WithheldValue]:
    """The values to look for: each text, what the rules find in it, and the full name."""
    for each in texts:
        kind = _KIND_OF_FIELD.get(each.field)
        if kind is not None and each.whole:
            yield WithheldValue(record_id, kind, each.text)
            continue
        yield from values_in(record_id, each.text, whole=each.whole)
    named = {each.field: each.text for each in texts if each.whole}
    if all(part in named for part in _NAMED):
        yield WithheldValue(record_id, "name", " ".join(named[part] for part in _NAMED))
