"""Settings from the environment, with the prefix `RETENTION_`."""

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


class RetentionSettings(ServiceSettings, StoreSettings, VaultSettings, AddressSettings):
    """`schedule_file`, `assignments_file`, `cases_file`, `business_days_file`, `fees_file`,
    `instruments_file`, `agencies_file`, `release_letter_file`: the county's own files, in place of
    the packaged ones.
    `expire_every`: how often to search for due records. `settle_for`: how long after placing or
    releasing a hold the records are checked once more; longer than any write takes. `audit_after`:
    how long after a certificate audit destroys its own part. Durations in seconds or as ISO
    8601."""

    model_config = SettingsConfigDict(env_prefix="RETENTION_", frozen=True, extra="ignore")

    schedule_file: Path | None = None
    assignments_file: Path | None = None
    cases_file: Path | None = None
    business_days_file: Path | None = None
    fees_file: Path | None = None
    instruments_file: Path | None = None
    agencies_file: Path | None = None
    release_letter_file: Path | None = None
    timezone: str = "America/New_York"
    expire_every: Duration = timedelta(hours=1)
    settle_for: Duration = timedelta(seconds=60)
    audit_after: Duration = timedelta(days=15)
