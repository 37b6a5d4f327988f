"""Settings of the geo service, from `GEO_…`."""

from datetime import timedelta
from pathlib import Path

from pydantic_settings import SettingsConfigDict

from direct311.runtime.settings import Duration, ServiceSettings


class GeoSettings(ServiceSettings):
    """`gazetteer_file`: a CSV of addresses of known position. `aliases_file`, `streets_file`,
    `readings_file`, `grid_file` and `layers_file` replace the packaged files with that name.
    `packaged_county`: take the packaged boundaries for layers that have none.
    `refresh_every`: how soon another copy's import shows here.
    """

    model_config = SettingsConfigDict(env_prefix="GEO_", frozen=True, extra="ignore")

    gazetteer_file: Path | None = None
    aliases_file: Path | None = None
    streets_file: Path | None = None
    readings_file: Path | None = None
    grid_file: Path | None = None
    layers_file: Path | None = None
    packaged_county: bool = True
    max_import_bytes: int = 64 * 1024**2
    refresh_every: Duration = timedelta(seconds=2)
