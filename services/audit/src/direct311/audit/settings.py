"""What can be set from outside: prefix `AUDIT_`."""

from datetime import timedelta
from pathlib import Path

from pydantic_settings import SettingsConfigDict

from direct311.runtime.settings import Duration, ServiceSettings, StoreSettings, VaultSettings


class AuditSettings(ServiceSettings, StoreSettings, VaultSettings):
    """`destroy_after`: how long after a certificate audit destroys its own part; the broker's 14
    days and one more. `locked_for`: how long the store refuses to change or remove a file of the
    log. `volume_file`: the county's own thresholds of unusual volume. Durations in seconds or as
    ISO 8601."""

    model_config = SettingsConfigDict(env_prefix="AUDIT_", frozen=True, extra="ignore")

    log_key_file: Path
    intake_url: str
    media_url: str
    bucket: str = "direct311-log"
    volume_file: Path | None = None

    batch: int = 2_000
    destroy_after: Duration = timedelta(days=15)
    locked_for: Duration = timedelta(days=3_653)
    unlogged_after: Duration = timedelta(seconds=60)
    reconcile_every: Duration = timedelta(seconds=10)
