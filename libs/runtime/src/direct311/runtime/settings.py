"""Settings that every service has; each service adds its own and sets the prefix."""

from pathlib import Path
from typing import Literal

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Read once, in `__main__`, from the environment. Frozen; secrets do not show in `repr`. What
    is set to nothing counts as not set. `access_file`: the county's own rules of access, which two
    of the persons in `approvers_file` must have approved."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    environment: Literal["local", "test", "production"] = "production"
    host: str = "127.0.0.1"
    port: int
    public_url: str

    kafka_bootstrap: str
    kafka_username: str
    kafka_password: SecretStr
    kafka_security: Literal["SASL_PLAINTEXT", "SASL_SSL"] = "SASL_SSL"
    kafka_compression: Literal["gzip", "none"] = "none"

    database_url: SecretStr
    database_name: str

    issuer_url: str
    audience: str = "direct311"
    client_id: str
    client_secret: SecretStr

    signing_key_file: Path
    principals_file: Path
    access_file: Path | None = None
    approvers_file: Path | None = None

    traces_file: Path | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


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
