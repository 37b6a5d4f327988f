"""Settings of routing, from the environment with the prefix `ROUTING_`."""

from datetime import timedelta
from pathlib import Path

from pydantic_settings import SettingsConfigDict

from direct311.runtime.settings import Duration, ServiceSettings


class RoutingSettings(ServiceSettings):
    """`intake_url`: where intake answers; it seals the departments' notes. `rules_folder`: the
    county's own files, instead of the packaged ones. `acknowledge_within`: after this long without
    an accepted update of its department, a delivery is late."""

    model_config = SettingsConfigDict(env_prefix="ROUTING_", frozen=True, extra="ignore")

    intake_url: str
    rules_folder: Path | None = None
    overdue_every: Duration = timedelta(minutes=10)
    acknowledge_within: Duration = timedelta(days=1)
