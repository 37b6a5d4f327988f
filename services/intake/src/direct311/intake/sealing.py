"""What intake uses to seal and search: the keys of its records, the vault, and the index keys."""

from dataclasses import dataclass

from direct311.intake.indexes.adapters.keyed import KeyedIndexes
from direct311.intake.settings import IntakeSettings
from direct311.runtime.process import Resources
from direct311.runtime.vault.keystore import MongoKeys
from direct311.runtime.vault.providers import key_provider
from direct311.runtime.vault.rotation import KeyRotation
from direct311.runtime.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Sealing:
    """`rotation`: the operators' long jobs over sealed data; capabilities add their own."""

    keys: MongoKeys
    vault: Vault
    rotation: KeyRotation
    indexes: KeyedIndexes


def wire(settings: IntakeSettings, resources: Resources) -> Sealing:
    """:raises KeyProviderError: a key file is missing or malformed."""
    clock = resources.clock
    indexes = KeyedIndexes.from_file(settings.index_keys_file, clock)
    keys = MongoKeys(resources.database["keys"])
    provider = key_provider(settings, resources.http)
    vault = Vault(keys, provider, resources.ledger, resources.access_policy(), clock)
    rotation = KeyRotation(keys, provider, vault, resources.database, clock)
    return Sealing(keys, vault, rotation, indexes)
