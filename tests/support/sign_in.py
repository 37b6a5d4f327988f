"""A person at a browser who signs in at the development issuer."""

import asyncio
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import httpx

from direct311.cli.fresh_sign_in import sign_in_again
from direct311.runtime.access.fresh_sign_in import Approvals
from direct311.runtime.access.identity import Issuer
from direct311.runtime.peers import HttpClient
from direct311.schemas import events as ev
from tests.support.county import County


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


async def approval(county: County, nonce: str, sub: str, *, seconds: float = 60) -> ev.Approval:
    """The approval of somebody who signs in again at the county's issuer, in a browser without a
    screen."""
    known = county.known
    async with httpx.AsyncClient(trust_env=False) as client:
        browser = Browser(client, known.operator_secret, sub=sub)
        http = HttpClient()
        done = await sign_in_again(
            Approvals(known.issuer, known.approval_client),
            Issuer(known.issuer, http),
            http,
            nonce,
            browser.open,
            seconds=seconds,
        )
        await browser.closed()
        await http.close()
    return done.approval
