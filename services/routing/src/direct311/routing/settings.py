"""Settings of routing, from the environment with the prefix `ROUTING_`."""

from datetime import timedelta
from pathlib import Path

from pydantic_settings import SettingsConfigDict

from direct311.runtime.settings import ServiceSettings


class RoutingSettings(ServiceSettings):
    """`rules_folder`: the county's own files instead of those packaged. `recoverable_for`: how long
    what was deleted can still be found in the database's log and in backups."""

    model_config = SettingsConfigDict(env_prefix="ROUTING_", frozen=True, extra="ignore")

    rules_folder: Path | None = None
    overdue_every: timedelta = timedelta(minutes=10)
    recoverable_for: timedelta = timedelta(days=35)
