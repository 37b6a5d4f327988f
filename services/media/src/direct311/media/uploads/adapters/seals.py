"""Keys of records, through the vault."""

from direct311.media.sealing import SEALED_FIELD
from direct311.media.uploads.ports import Sealer
from direct311.runtime.access.ledger import Access, AuditUnavailableError
from direct311.runtime.access.rules import Caller, RecordFacts
from direct311.runtime.errors import TransientError
from direct311.runtime.vault.vault import Vault


class VaultSeals:
    """Implements `Seals`.

    The first file of a record gets a new key. Later files, and a repeat after a crash, use the
    existing key; like every use of a key, that is recorded first.
    """

    def __init__(self, vault: Vault, service_account: str) -> None:
        self._vault = vault
        self._self = Caller(service_account, roles=("service",), authentication="service")

    async def sealer(self, record_id: str) -> Sealer:
        wrapped, key = await self._vault.new_key(record_id)
        if not await self._vault.keys.insert([wrapped]):
            return key
        access = Access(
            self._self,
            action="seal",
            purpose="respond",
            operation="seal uploads",
            fields=(SEALED_FIELD,),
            record_ids=(record_id,),
        )
        try:
            async with self._vault.unlock(access, RecordFacts(record_id)) as key:
                return key
        except AuditUnavailableError:
            raise TransientError("the use of a key could not be written down") from None
