"""A person at a browser who signs in at the development issuer."""

import asyncio
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import httpx


class Browser:
    """Opens the page that a program asks for, fills its form in, and follows where it leads.

    `change` edits the address to which the issuer sends the browser back.
    """

    def __init__(
        self,
        issuer: httpx.AsyncClient,
        operator: str,
        *,
        sub: str = "carla",
        change: Callable[[str], str] = str,
    ) -> None:
        self.pages: list[str] = []
        self.shown: list[str] = []
        self._issuer = issuer
        self._form = {"sub": sub, "roles": "counsel", "operator_secret": operator}
        self._change = change
        self._tasks: list[asyncio.Task[None]] = []

    def open(self, page: str) -> None:
        """What `webbrowser.open` does: it does not wait."""
        self.pages.append(page)
        self._tasks.append(asyncio.create_task(self._sign_in(page)))

    @property
    def asked(self) -> dict[str, str]:
        """The parameters of the last page."""
        query = parse_qs(urlsplit(self.pages[-1]).query)
        return {name: values[0] for name, values in query.items()}

    async def closed(self) -> None:
        """Once everything that was opened has come to its end."""
        await asyncio.gather(*self._tasks)

    async def _sign_in(self, page: str) -> None:
        shown = await self._issuer.get(page)
        assert "<form" in shown.text
        answer = await self._issuer.post(page, data=self._form)
        async with httpx.AsyncClient(trust_env=False) as machine:
            back = await machine.get(self._change(answer.headers["location"]))
        self.shown.append(f"{back.status_code} {back.text}")
