"""Settings from the environment, with the prefix `AUDIT_`."""

from datetime import timedelta
from pathlib import Path

from pydantic_settings import SettingsConfigDict

from direct311.runtime.settings import (
    AddressSettings,
    Duration,
    ServiceSettings,
    StoreSettings,
    VaultSettings,
)


class AuditSettings(ServiceSettings, StoreSettings, VaultSettings, AddressSettings):
    """The address of every service that has a vault must be set. `destroy_after`: how long after a
    certificate audit destroys its own part: the broker's 14 days plus one. `locked_for`: how
    long the store refuses to change or remove a file of the log. `volume_file`, `breach_file`,
    `month_keys_file`: the county's own thresholds of unusual volume, rules of notice after a
    breach, item for the keys of months. `policy_file`: witnesses and their quorum
    (c2sp.org/tlog-policy); without it checkpoints are published without cosignatures.
    `unpublished_after`: how long an entry may wait for a published checkpoint before an alarm.
    Durations in seconds or as ISO 8601."""

    model_config = SettingsConfigDict(env_prefix="AUDIT_", frozen=True, extra="ignore")

    log_key_file: Path
    bucket: str = "direct311-log"
    volume_file: Path | None = None
    policy_file: Path | None = None
    breach_file: Path | None = None
    month_keys_file: Path | None = None

    batch: int = 2_000
    destroy_after: Duration = timedelta(days=15)
    locked_for: Duration = timedelta(days=3_653)
    unlogged_after: Duration = timedelta(seconds=60)
    unpublished_after: Duration = timedelta(seconds=60)
    publish_every: Duration = timedelta(seconds=0.5)
    reconcile_every: Duration = timedelta(seconds=10)
    watch_every: Duration = timedelta(seconds=10)
