"""What retention seals case files with: their keys, and the vault."""

from dataclasses import dataclass

from direct311.retention.settings import RetentionSettings
from direct311.runtime.process import Resources
from direct311.runtime.vault.keystore import MongoKeys
from direct311.runtime.vault.providers import key_provider
from direct311.runtime.vault.rotation import KeyRotation
from direct311.runtime.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Sealing:
    """`rotation`: the operators' long job over the keys."""

    keys: MongoKeys
    vault: Vault
    rotation: KeyRotation

    async def prepare(self) -> None:
        """:raises KeyProviderError: a key that data keys still need is missing or has changed."""
        await self.keys.prepare()
        await self.rotation.checks.check()


def wire(settings: RetentionSettings, resources: Resources) -> Sealing:
    """:raises KeyProviderError: a key file is missing or malformed."""
    clock = resources.clock
    keys = MongoKeys(resources.database["keys"])
    provider = key_provider(settings, resources.http)
    vault = Vault(keys, provider, resources.ledger, resources.access_policy(), clock)
    return Sealing(keys, vault, KeyRotation(keys, provider, vault, resources.database, clock))
