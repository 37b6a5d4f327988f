"""Calls to other services: the only module that knows the HTTP client library."""

from collections.abc import Mapping
from typing import Any, Protocol

import httpx

from direct311.runtime.errors import RuntimeFaultError


class HttpError(RuntimeFaultError):
    """A call did not give what was asked for. `status` is `None` where nothing answered."""

    def __init__(self, status: int | None) -> None:
        super().__init__("no answer" if status is None else f"status {status}")
        self.status = status


class HttpClient:
    """A pool of connections with time limits."""

    def __init__(self, timeout: float = 5.0, transport: httpx.AsyncBaseTransport | None = None):
        self._client = httpx.AsyncClient(
            timeout=timeout,
            transport=transport,
            trust_env=False,
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=16),
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def get_json(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        """:raises HttpError: no answer, or not a 2xx with JSON."""
        return (await self._send("GET", url, headers=headers)).json()

    async def post_json(
        self, url: str, body: object, headers: Mapping[str, str] | None = None
    ) -> Any:
        """:raises HttpError: no answer, or not a 2xx with JSON."""
        return (await self._send("POST", url, json=body, headers=headers)).json()

    async def post_form(self, url: str, form: Mapping[str, str]) -> Any:
        """:raises HttpError: no answer, or not a 2xx with JSON."""
        return (await self._send("POST", url, data=dict(form))).json()

    async def put_bytes(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """:raises HttpError: no answer, or not a 2xx."""
        await self._send("PUT", url, content=body, headers=headers)

    async def _send(self, method: str, url: str, **options: Any) -> httpx.Response:
        try:
            answer = await self._client.request(method, url, **options)
        except httpx.HTTPError:
            raise HttpError(None) from None
        if not answer.is_success:
            raise HttpError(answer.status_code)
        return answer


class Tokens(Protocol):
    async def get(self) -> str: ...


class Peer:
    """Another service, called with this service's own token."""

    def __init__(self, url: str, http: HttpClient, tokens: Tokens) -> None:
        self._url = url.rstrip("/")
        self._http = http
        self._tokens = tokens

    async def get(self, path: str, *, on_behalf_of: str | None = None) -> Any:
        """:raises HttpError: no answer, or not a 2xx. `on_behalf_of`: a person's bearer header."""
        return await self._http.get_json(self._url + path, await self._headers(on_behalf_of))

    async def post(self, path: str, body: object, *, on_behalf_of: str | None = None) -> Any:
        """:raises HttpError: no answer, or not a 2xx. `on_behalf_of`: a person's bearer header."""
        return await self._http.post_json(self._url + path, body, await self._headers(on_behalf_of))

    async def _headers(self, on_behalf_of: str | None) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {await self._tokens.get()}"}
        if on_behalf_of:
            headers["X-On-Behalf-Of"] = on_behalf_of
        return headers
