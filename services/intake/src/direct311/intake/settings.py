"""Settings of intake, from the environment with the prefix `INTAKE_`."""

from datetime import timedelta
from pathlib import Path

from pydantic_settings import SettingsConfigDict

from direct311.runtime.settings import ServiceSettings, VaultSettings


class IntakeSettings(ServiceSettings, VaultSettings):
    """`catalogue_file`, `policies_file`: the county's own instead of those packaged. Beside
    `NAME.yaml`, its catalogue, lie `NAME.es.yaml` and `NAME.ht.yaml`, its words in Spanish and
    Haitian Creole.

    `clients_file`: front ends to begin with, by the hashes of their keys: a list that is taken into
    the database at the start, where their ids are not known there yet, and never again.

    `reads_per_minute`: for one network address, without key. `failed_keys_per_minute`: calls from
    one address whose key is none. `files_in_hand`: bytes of files that all submissions which are
    being received may hold in memory together.

    `link_lifetime`: how long a resident's signed link is good. `largest_file` in bytes.
    `registry_every`: how often a copy reads a changed protection registry; whoever enters a
    protection waits twice as long, until every copy has.
    """

    model_config = SettingsConfigDict(env_prefix="INTAKE_", frozen=True, extra="ignore")

    index_keys_file: Path
    link_key_file: Path
    media_url: str
    geo_url: str

    catalogue_file: Path | None = None
    policies_file: Path | None = None
    clients_file: Path | None = None

    reads_per_minute: int = 1_200
    failed_keys_per_minute: int = 60
    files_in_hand: int = 256 * 1024 * 1024

    link_lifetime: timedelta = timedelta(days=90)
    largest_file: int = 20 * 1024 * 1024
    most_files: int = 10
    registry_every: timedelta = timedelta(seconds=1)
