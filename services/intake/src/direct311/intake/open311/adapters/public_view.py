"""What the public sees of a request, for those who decide what else may be shown."""

from collections.abc import Mapping
from typing import Any

from direct311.intake.catalogue.domain.types import Catalogue
from direct311.intake.open311.adapters.requests import MongoPublicRequests
from direct311.intake.open311.wire import views


class PublicView:
    """The public view in English, with all extensions."""

    def __init__(self, requests: MongoPublicRequests, catalogue: Catalogue) -> None:
        self._requests = requests
        self._catalogue = catalogue

    async def of(self, record_id: str) -> Mapping[str, Any]:
        """The values by name; empty if the public must not find the request."""
        found = await self._requests.public(record_id)
        if found is None or not found.number_is_known:
            return {}
        type_ = self._catalogue.by_code(found.service_code)
        return views.request(found, type_, found.department, extensions=True)
