"""What can be set from outside: prefix `AUDIT_`."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_settings import SettingsConfigDict

from direct311.runtime.settings import ServiceSettings, StoreSettings, VaultSettings


def _seconds(value: object) -> object:
    """A plain number is seconds, also where it comes as text from the environment."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


Duration = Annotated[timedelta, BeforeValidator(_seconds)]


class AuditSettings(ServiceSettings, StoreSettings, VaultSettings):
    """`destroy_after`: how long after a certificate audit destroys its own part; the broker's 14
    days and one more. `locked_for`: how long the store refuses to change or remove a file of the
    log. `recoverable_for`: when the last copy of a destroyed key in logs and backups is gone.
    `volume_file`: the county's own thresholds of unusual volume. Durations in seconds or as ISO
    8601."""

    model_config = SettingsConfigDict(env_prefix="AUDIT_", frozen=True, extra="ignore")

    log_key_file: Path
    intake_url: str
    media_url: str
    bucket: str = "direct311-log"
    volume_file: Path | None = None

    batch: int = 2_000
    destroy_after: Duration = timedelta(days=15)
    locked_for: Duration = timedelta(days=3_653)
    recoverable_for: Duration = timedelta(days=30)
    unlogged_after: Duration = timedelta(seconds=60)
    reconcile_every: Duration = timedelta(seconds=10)
