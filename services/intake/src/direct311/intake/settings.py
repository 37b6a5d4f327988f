"""Settings of intake, from the environment with the prefix `INTAKE_`."""

from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from direct311.runtime.settings import Duration, ServiceSettings, VaultSettings

A_WEEK = timedelta(days=7)


class IntakeSettings(ServiceSettings, VaultSettings):
    """`catalogue_file`, `policies_file`: the county's own files, instead of the packaged ones. Next
    to `NAME.yaml`, its catalogue, are `NAME.es.yaml` and `NAME.ht.yaml`, with its words in Spanish
    and Haitian Creole.

    `emergencies_file`, `messages_file`, `code_words_file`, `records_requests_file`,
    `legal_requests_file` likewise: the words of danger, the texts of e-mails, what reporters read
    in place of codes, and what somebody reads who asks for public records or sends a legal process.

    `clients_file`: the first front ends, with the hashes of their keys. At the start, clients whose
    ids are not in the database yet are added to it once.

    `reads_per_minute`: reads from one network address without a key; a read for many rows counts as
    several. `failed_keys_per_minute`: calls from one address with an invalid key or case token.
    `records_requests_per_hour`: requests for public records, and legal processes, from one address.
    `files_in_hand`: bytes of files that all submissions being received may hold in memory together;
    those from one address may hold a quarter of it.

    `most_searched`: in how many requests a search for a disclosure case looks at most.

    `link_lifetime`: how long a resident's signed link is valid. `largest_file` in bytes.
    `registry_every`: how often a copy reads a changed protection registry; entering a protection
    takes twice as long, until every copy has read it. `undone_within`: how long a protection stays
    in force after two people have ended it, so that the ending can be undone; a week or more.

    E-mail: without `smtp_host` no e-mail is sent, and nobody can ask for a code or for news.
    `smtp_port` is 587 with `smtp_security` `starttls`, 465 with `tls`; `none` is only for
    development. `smtp_ca_file`: the authority to trust (PEM), if the relay's is not a well-known
    one. `mail_from`: the sender's address. `mail_retry_after`: the pause before a message's second
    try; each later pause is twice as long, up to an hour. `page_url`: the front end's page for a
    request, with `{id}`, as used in messages and feeds; by default the request's own Open311 URL.
    """

    model_config = SettingsConfigDict(env_prefix="INTAKE_", frozen=True, extra="ignore")

    index_keys_file: Path
    link_key_file: Path
    media_url: str
    geo_url: str
    audit_url: str
    retention_url: str

    catalogue_file: Path | None = None
    policies_file: Path | None = None
    clients_file: Path | None = None
    records_requests_file: Path | None = None
    legal_requests_file: Path | None = None

    reads_per_minute: int = 1_200
    failed_keys_per_minute: int = 60
    records_requests_per_hour: int = 10
    files_in_hand: int = 256 * 1024 * 1024
    most_searched: int = Field(20_000, ge=1, le=100_000)

    emergencies_file: Path | None = None
    messages_file: Path | None = None
    code_words_file: Path | None = None

    smtp_host: str | None = None
    smtp_port: int = 587
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_ca_file: Path | None = None
    mail_from: str = "no-reply@311.invalid"
    mail_retry_after: Duration = timedelta(seconds=15)
    page_url: str | None = None

    link_lifetime: Duration = timedelta(days=90)
    largest_file: int = 20 * 1024 * 1024
    most_files: int = 10
    registry_every: Duration = timedelta(seconds=1)
    undone_within: Duration = A_WEEK

    @model_validator(mode="after")
    def _a_week_to_undo(self) -> Self:
        if self.undone_within < A_WEEK and self.environment != "test":
            raise ValueError("undone_within must be a week or more")
        return self

    @model_validator(mode="after")
    def _no_mail_in_clear(self) -> Self:
        if self.smtp_host and self.smtp_security == "none" and self.environment == "production":
            raise ValueError("smtp_security must be starttls or tls in production")
        try:
            self.request_page.format(id="")
        except (LookupError, ValueError):
            raise ValueError("page_url may have {id} in braces and nothing else") from None
        return self

    @property
    def request_page(self) -> str:
        """The URL where people find a request, with `{id}`."""
        return self.page_url or f"{self.public_url.rstrip('/')}/open311/v2/requests/{{id}}.json"
