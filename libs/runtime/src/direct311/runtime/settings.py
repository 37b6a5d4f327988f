"""Settings that every service has; each service adds its own and sets the prefix."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from direct311.runtime.errors import RuntimeFaultError


def _seconds(value: object) -> object:
    """A plain number means seconds, also if it comes as text from the environment."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


Duration = Annotated[timedelta, BeforeValidator(_seconds)]
"""In seconds, or as ISO 8601."""


def _words(value: object) -> object:
    return tuple(value.split()) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
"""Several values, separated by spaces."""


class ServiceSettings(BaseSettings):
    """Read once, in `__main__`, from the environment. Frozen; secrets do not show in `repr`. An
    empty value counts as not set. `access_file`, `exemptions_file`: the county's own access rules
    and exemptions, which two of the people in `approvers_file` must have approved.
    `breach_letter_file`: the county's own words for notices after a breach of security; intake and
    retention use them.

    `hosts`: the host names that clients may use for the service, separated by spaces; if empty, any
    name. `proxies`: networks of the proxies in front of it; only their `X-Forwarded-For` is
    believed. `most_connections`: more connections at the same time are answered with 503.
    `refusals_of_an_address`: how many different refusals of one network address get separate
    entries in the access log per minute.

    `audience`: the audience of tokens for this service. The principals file sets it; a service with
    a different value here does not start. `link_audience`: the audience of residents' signed links,
    the same in all services, and different from every service's own.

    How long destroyed data can still be recovered: `database_log_kept`, the window of the
    database's log; `backups_kept`, the age of the oldest backup; `topics_kept`, the retention of
    the broker's topics with the age of a segment (`deploy/topics.yaml`). They must match reality.

    `busy_file`: where intake and the services that share its processors have the same file, by
    which the gateway asks their consumers, and those who collect for a package, to leave the
    processors to it.
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
    exemptions_file: Path | None = None
    breach_letter_file: Path | None = None
    approvers_file: Path | None = None

    database_log_kept: Duration = timedelta(days=7)
    backups_kept: Duration = timedelta(days=35)
    topics_kept: Duration = timedelta(days=15)

    traces_file: Path | None = None
    busy_file: Path | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @property
    def is_local(self) -> bool:
        """Whether this is a local stack or a test, where data is loaded that counsel has not
        confirmed."""
        return self.environment in ("local", "test")

    @property
    def recoverable_for(self) -> timedelta:
        """When the last copy is gone after a destruction."""
        return max(self.database_log_kept, self.backups_kept, self.topics_kept)


class NoAddressError(RuntimeFaultError):
    """The address of a service that must be called is not set. The message says what to set."""


class AddressSettings(BaseSettings):
    """Where the services answer; mixed into the settings of a service that calls others whose names
    it learns from the principals file. Only the addresses of those must be set."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    intake_url: str | None = None
    media_url: str | None = None
    geo_url: str | None = None
    routing_url: str | None = None
    retention_url: str | None = None
    audit_url: str | None = None

    def address_of(self, service: str) -> str:
        """:raises NoAddressError: it is not set."""
        address: str | None = getattr(self, f"{service}_url", None)
        if address is None:
            name = f"{self.model_config.get('env_prefix', '')}{service.upper()}_URL"
            raise NoAddressError(f"{name} must be set: this service calls {service}")
        return address


class StoreSettings(BaseSettings):
    """Where objects are stored; mixed into the settings of services that store some."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    store_endpoint: str
    store_access_key: str
    store_secret_key: SecretStr
    store_secure: bool = True


class VaultSettings(BaseSettings):
    """Where key-encryption keys are stored; mixed into the settings of services that seal data.

    `kek_provider`: `file`, `vault:https://host:8200/mount/key` (HashiCorp Vault or OpenBao) or
    `awskms:key` (its ARN or `alias/name`). Several, separated by spaces: the first wraps, and all
    unwrap. `key_token_file`: the token for Vault, read again at each call. `key_ca_file`: the
    authority to trust there (PEM), if it is not a well-known one.
    """

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    kek_provider: str = "file"
    kek_file: Path | None = None
    key_token_file: Path | None = None
    key_ca_file: Path | None = None
