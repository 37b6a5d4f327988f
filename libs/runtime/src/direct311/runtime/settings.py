"""Settings that every service has; each service adds its own and sets the prefix."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _seconds(value: object) -> object:
    """A plain number is seconds, also where it comes as text from the environment."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


Duration = Annotated[timedelta, BeforeValidator(_seconds)]
"""In seconds, or as ISO 8601."""


def _words(value: object) -> object:
    return tuple(value.split()) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
"""Several, with spaces between."""


class ServiceSettings(BaseSettings):
    """Read once, in `__main__`, from the environment. Frozen; secrets do not show in `repr`. What
    is set to nothing counts as not set. `access_file`: the county's own rules of access, which two
    of the persons in `approvers_file` must have approved.

    `hosts`: names that the service may be called by, with spaces between; none: any. `proxies`:
    networks of the proxies in front of it, whose `X-Forwarded-For` is believed; nobody else's is.
    `most_connections`: more at a time are answered with 503. `refusals_of_an_address`: so many
    different refusals of one network address are each an entry of the access log in a minute.

    `audience`: what tokens for this service are made for. The principals file says it; a service
    that is told another here does not start. `link_audience`: what residents' signed links are made
    for, the same in all services, and no service's own.

    For how long what was destroyed can still be found: `database_log_kept`, the window of the
    database's log; `backups_kept`, the age of the oldest backup; `topics_kept`, the retention of
    the broker's topics with the age of a segment (`deploy/topics.yaml`). They must say what is so.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    environment: Literal["local", "test", "production"] = "production"
    host: str = "127.0.0.1"
    port: int
    public_url: str
    hosts: Words = ()
    proxies: Words = ()
    most_connections: int = 2_000
    refusals_of_an_address: int = 300

    kafka_bootstrap: str
    kafka_username: str
    kafka_password: SecretStr
    kafka_security: Literal["SASL_PLAINTEXT", "SASL_SSL"] = "SASL_SSL"
    kafka_compression: Literal["gzip", "none"] = "none"

    database_url: SecretStr
    database_name: str

    issuer_url: str
    audience: str | None = None
    link_audience: str = "direct311"
    client_id: str
    client_secret: SecretStr

    signing_key_file: Path
    principals_file: Path
    access_file: Path | None = None
    approvers_file: Path | None = None

    database_log_kept: Duration = timedelta(days=7)
    backups_kept: Duration = timedelta(days=35)
    topics_kept: Duration = timedelta(days=15)

    traces_file: Path | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @property
    def recoverable_for(self) -> timedelta:
        """When after a destruction the last copy is gone."""
        return max(self.database_log_kept, self.backups_kept, self.topics_kept)


class StoreSettings(BaseSettings):
    """Where objects lie; mixed into the settings of the services that keep some."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    store_endpoint: str
    store_access_key: str
    store_secret_key: SecretStr
    store_secure: bool = True


class VaultSettings(BaseSettings):
    """Where key-encryption keys lie; mixed into the settings of the services that seal.

    `kek_provider`: `file`, `vault:https://host:8200/mount/key` (HashiCorp Vault or OpenBao) or
    `awskms:key` (its ARN or `alias/name`). Several, with spaces between: the first wraps, all
    unwrap. `key_token_file`: the token for Vault, read again at each call. `key_ca_file`: whom to
    trust there (PEM), where that is no well-known authority.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    kek_provider: str = "file"
    kek_file: Path | None = None
    key_token_file: Path | None = None
    key_ca_file: Path | None = None
