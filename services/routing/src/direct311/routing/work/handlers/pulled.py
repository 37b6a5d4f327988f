"""What was routed to a department, page by page, for a department that asks for it."""

from direct311.routing.work.ports import RoutedPages
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.pages import DeletedError, NoSuchPlaceError, Page

CURSOR_GONE = (
    "Events after the cursor were deleted. Compare GET /v1/jobs with your own list, and begin "
    "again without a cursor."
)


class Pulled:
    """The events of `routed.<department>` in their order. The cursor is the place on that topic."""

    def __init__(self, pages: RoutedPages) -> None:
        self._pages = pages

    async def page(self, department: str, cursor: str | None, most: int, wait: float) -> Page:
        """:raises RefusedError: the cursor is no answer's, or too old."""
        try:
            start = None if cursor is None else int(cursor)
            return await self._pages.read(department, start, most, wait)
        except DeletedError:
            raise RefusedError("cursor_gone", CURSOR_GONE) from None
        except (NoSuchPlaceError, ValueError):
            raise RefusedError(
                "cursor", "Send the `next` of an earlier answer, or none.", field="cursor"
            ) from None
