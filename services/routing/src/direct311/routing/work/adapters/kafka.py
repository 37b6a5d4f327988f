"""What was routed to a department, on its topic."""

from direct311.runtime.messaging.pages import Page, TopicPages
from direct311.schemas import routed_topic


class KafkaRoutedPages:
    """`RoutedPages` over `routed.<department>`."""

    def __init__(self, pages: TopicPages) -> None:
        self._pages = pages

    async def read(self, department: str, start: int | None, most: int, wait: float) -> Page:
        return await self._pages.read(routed_topic(department), start, most, wait)
