"""Settings of the media service, from `MEDIA_…`."""

from datetime import timedelta

from pydantic_settings import SettingsConfigDict

from direct311.media.storage import PUBLIC
from direct311.runtime.settings import Duration, ServiceSettings, StoreSettings, VaultSettings


class MediaSettings(ServiceSettings, StoreSettings, VaultSettings):
    """`public_media_url`: the URL at which the public bucket is read, by default the store's own.

    `max_bytes`: the largest upload. `max_pixels`: the largest original picture; `max_side`: the
    longer side of its copy. `abandoned_after`: see `Sweep`. `reviewers`: how many files of
    disclosure cases are rendered at a time, each of a PDF of at most `review_pages` pages within
    `review_cpu_seconds`. `timezone`: of the county's calendar.
    """

    model_config = SettingsConfigDict(env_prefix="MEDIA_", frozen=True, extra="ignore")

    public_media_url: str | None = None

    max_bytes: int = 50 * 1024**2
    max_pixels: int = 80_000_000
    max_side: int = 2048
    cleaners: int = 2
    ticket_expires: Duration = timedelta(minutes=10)
    abandoned_after: Duration = timedelta(days=1)
    reviewers: int = 1
    review_pages: int = 500
    review_cpu_seconds: int = 120
    timezone: str = "America/New_York"

    @property
    def copies_url(self) -> str:
        """Where clean copies are read, without a slash at the end."""
        if self.public_media_url:
            return self.public_media_url.rstrip("/")
        scheme = "https" if self.store_secure else "http"
        return f"{scheme}://{self.store_endpoint}/{PUBLIC}"
