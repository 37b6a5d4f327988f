"""Calls to other services: the only module that knows the HTTP client library."""

import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

import httpx

from direct311.runtime.errors import RuntimeFaultError

_NOT_MODIFIED = 304
_SERVER_ERRORS = 500
_UNSENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
"""What is raised before anything of a call was sent."""


class HttpError(RuntimeFaultError):
    """A call did not return what was requested. `status` is `None` if nothing answered.

    `problem` is the answer's body if that is JSON: our own services never echo input in it.
    `retry_after`: in how many seconds to try again, where the answer says so. `unsure`: whether the
    other side may have done it all the same, because the call may have reached it and no answer
    says that it was refused.
    """

    def __init__(
        self,
        status: int | None,
        problem: Any = None,
        retry_after: int | None = None,
        *,
        unsent: bool = False,
    ) -> None:
        super().__init__("no answer" if status is None else f"status {status}")
        self.status = status
        self.problem = problem
        self.retry_after = retry_after
        self.unsure = not unsent and (status is None or status >= _SERVER_ERRORS)


@dataclass(frozen=True, slots=True)
class Streamed:
    """An answer while it is received: its headers, with names in lower case, and its bytes piece by
    piece. Reading them raises `HttpError` if the answer breaks off."""

    headers: Mapping[str, str]
    pieces: AsyncIterator[bytes]

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _Connections(httpx.AsyncHTTPTransport):
    """Connections that the other side may drop the moment they are there, as a process does that
    is killed: the library then asks a socket that is gone for its address."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await super().handle_async_request(request)
        except AttributeError:
            # Before anything of the call was sent.
            raise httpx.ConnectError("dropped at once", request=request) from None


class HttpClient:
    """A pool of connections with time limits."""

    def __init__(
        self,
        timeout: float = 5.0,
        transport: httpx.AsyncBaseTransport | None = None,
        ca_file: Path | None = None,
    ) -> None:
        """`ca_file`: the authorities to trust (PEM) instead of the well-known ones."""
        usual = _Connections(
            verify=ssl.create_default_context(cafile=ca_file) if ca_file else True,
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=16),
            trust_env=False,
        )
        self._client = httpx.AsyncClient(
            timeout=timeout, transport=transport or usual, trust_env=False
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def get_json(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        """:raises HttpError: no answer, or not a 2xx with JSON."""
        return _json(await self._send("GET", url, headers=headers))

    async def get_unless(self, url: str, etag: str | None) -> tuple[Any, str | None]:
        """The JSON at an address and its ETag; no JSON if it still has the given one.

        :raises HttpError: no answer, or not a 2xx with JSON.
        """
        try:
            answer = await self._send("GET", url, headers={"If-None-Match": etag} if etag else None)
        except HttpError as error:
            if etag is not None and error.status == _NOT_MODIFIED:
                return None, etag
            raise
        return _json(answer), answer.headers.get("etag")

    async def delete(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        """:raises HttpError: no answer, or not a 2xx."""
        await self._send("DELETE", url, headers=headers)

    async def post_json(
        self,
        url: str,
        body: object,
        headers: Mapping[str, str] | None = None,
        *,
        seconds: float | None = None,
    ) -> Any:
        """Waits up to `seconds`, for when the client's own time limit is too short.

        :raises HttpError: no answer, or not a 2xx with JSON.
        """
        limit = {} if seconds is None else {"timeout": seconds}
        return _json(await self._send("POST", url, json=body, headers=headers, **limit))

    async def post_file(
        self, url: str, body: bytes, headers: Mapping[str, str], *, seconds: float
    ) -> Any:
        """Send a file as it is; the answer's JSON. Waits up to `seconds`.

        :raises HttpError: no answer, or not a 2xx with JSON.
        """
        sent = await self._send("POST", url, content=body, headers=headers, timeout=seconds)
        return _json(sent)

    async def put_json(
        self, url: str, body: object, headers: Mapping[str, str] | None = None
    ) -> Any:
        """:raises HttpError: no answer, or not a 2xx with JSON."""
        return _json(await self._send("PUT", url, json=body, headers=headers))

    async def post_form(self, url: str, form: Mapping[str, str]) -> Any:
        """:raises HttpError: no answer, or not a 2xx with JSON."""
        return _json(await self._send("POST", url, data=dict(form)))

    async def put_bytes(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """:raises HttpError: no answer, or not a 2xx."""
        await self._send("PUT", url, content=body, headers=headers)

    async def post_multipart(
        self,
        url: str,
        fields: Sequence[tuple[str, str]],
        files: Sequence[tuple[str, bytes, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Send a form, with any files (field, bytes, content type); returns the JSON answer.

        :raises HttpError: no answer, or not a 2xx with JSON.
        """
        if files:
            parts: list[tuple[str, Any]] = [(name, (None, value)) for name, value in fields]
            parts += [(name, ("file", body, kind)) for name, body, kind in files]
            return _json(await self._send("POST", url, files=parts, headers=headers))
        body = urlencode(fields).encode()
        form = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return _json(await self._send("POST", url, content=body, headers=form))

    async def get_bytes(self, url: str, headers: Mapping[str, str] | None = None) -> bytes:
        """:raises HttpError: no answer, or not a 2xx."""
        return (await self._send("GET", url, headers=headers)).content

    async def post_bytes(self, url: str, body: bytes, *, most: int) -> bytes:
        """Send a body without a content type; returns the answer's body. Stops reading after `most`
        bytes.

        :raises HttpError: no answer, a longer or compressed answer, or not a 2xx.
        """
        plain = {"Accept-Encoding": "identity"}
        try:
            async with self._client.stream("POST", url, content=body, headers=plain) as answer:
                read = await _at_most(most, answer)
        except (httpx.HTTPError, httpx.InvalidURL):
            raise HttpError(None) from None
        if read is None or not answer.is_success:
            raise HttpError(answer.status_code, _parsed(read or b""))
        return read

    @asynccontextmanager
    async def post_for_pieces(
        self,
        url: str,
        body: object,
        headers: Mapping[str, str] | None = None,
        *,
        seconds: float,
    ) -> AsyncIterator[Streamed]:
        """An answer of any size, which is read inside the block and is never whole in memory. Waits
        up to `seconds` for each part.

        :raises HttpError: no answer, a compressed answer, or not a 2xx.
        """
        async with self._pieces_of("POST", url, headers, seconds, json=body) as answer:
            yield answer

    @asynccontextmanager
    async def get_for_pieces(
        self, url: str, headers: Mapping[str, str] | None = None, *, seconds: float
    ) -> AsyncIterator[Streamed]:
        """The same, by a GET."""
        async with self._pieces_of("GET", url, headers, seconds) as answer:
            yield answer

    @asynccontextmanager
    async def _pieces_of(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        seconds: float,
        **options: Any,
    ) -> AsyncIterator[Streamed]:
        plain = {**(headers or {}), "Accept-Encoding": "identity"}
        try:
            asking = self._client.build_request(
                method, url, headers=plain, timeout=seconds, **options
            )
            answer = await self._client.send(asking, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL):
            raise HttpError(None) from None
        async with aclosing(answer):
            if not answer.is_success or "content-encoding" in answer.headers:
                raise HttpError(answer.status_code, *await _refusal(answer))
            yield Streamed(dict(answer.headers), _pieces(answer))

    async def post_stream(
        self,
        url: str,
        body: object,
        write: Callable[[bytes], object],
        headers: Mapping[str, str] | None = None,
        heard: Callable[[Mapping[str, str]], object] = lambda _: None,
    ) -> Mapping[str, str]:
        """Receive an answer of any size piece by piece. Returns its headers, with names in lower
        case; `heard` gets them before the first piece.

        :raises HttpError: no answer, an incomplete answer, or not a 2xx.
        """
        try:
            async with self._client.stream("POST", url, json=body, headers=headers) as answer:
                if not answer.is_success:
                    raise HttpError(answer.status_code, _parsed(await answer.aread()))
                found = dict(answer.headers)
                heard(found)
                async for piece in answer.aiter_bytes():
                    write(piece)
                return found
        except (httpx.HTTPError, httpx.InvalidURL):
            raise HttpError(None) from None

    async def _send(self, method: str, url: str, **options: Any) -> httpx.Response:
        try:
            answer = await self._client.request(method, url, **options)
        except _UNSENT:
            raise HttpError(None, unsent=True) from None
        except (httpx.HTTPError, httpx.InvalidURL):
            raise HttpError(None) from None
        if not answer.is_success:
            wait = answer.headers.get("retry-after", "")
            seconds = int(wait) if wait.isascii() and wait.isdigit() else None
            raise HttpError(answer.status_code, _parsed(answer.content), seconds)
        return answer


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except (ValueError, RecursionError):
        raise HttpError(answer.status_code) from None


def _parsed(body: bytes) -> Any:
    """The body decoded as JSON; `None` if it is not JSON, or nested too deep."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


_LARGEST_PROBLEM = 64 * 1024


async def _refusal(answer: httpx.Response) -> tuple[Any, int | None]:
    """What an answer that is no success says: its problem, and in how many seconds to try again."""
    try:
        read = await _at_most(_LARGEST_PROBLEM, answer)
    except httpx.HTTPError:
        read = None
    wait = answer.headers.get("retry-after", "")
    return _parsed(read or b""), int(wait) if wait.isascii() and wait.isdigit() else None


async def _pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.aiter_bytes():
            yield piece
    except httpx.HTTPError:
        raise HttpError(None) from None


async def _at_most(most: int, answer: httpx.Response) -> bytes | None:
    """The body; `None` if it is longer or compressed. Compression was not requested, and the
    unpacked size could be anything."""
    if "content-encoding" in answer.headers:
        return None
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > most:
            return None
    return bytes(body)


class PeerTokens(Protocol):
    """Tokens for one other service."""

    async def get(self) -> str:
        """This service's own token."""
        ...

    async def exchanged(self, authorization: str) -> str:
        """A token for the person with this bearer header."""
        ...


class Peer:
    """Another service, called with this service's own token.

    `on_behalf_of` is the bearer header of the person behind the call; that person's token is
    exchanged for one that is valid only there.
    """

    def __init__(self, url: str, http: HttpClient, tokens: PeerTokens) -> None:
        self._url = url.rstrip("/")
        self._http = http
        self._tokens = tokens

    async def get(self, path: str, *, on_behalf_of: str | None = None) -> Any:
        """:raises HttpError: no answer, or not a 2xx. :raises RefusedError: the provider does
        not take the person's token. :raises TransientError: the provider gives no token."""
        return await self._http.get_json(self._url + path, await self._headers(on_behalf_of))

    async def post(
        self,
        path: str,
        body: object,
        *,
        on_behalf_of: str | None = None,
        seconds: float | None = None,
    ) -> Any:
        """`seconds`: a time limit for a long answer.

        :raises HttpError: no answer, or not a 2xx.
        :raises RefusedError: the provider does not take the person's token.
        :raises TransientError: the provider gives no token.
        """
        headers = await self._headers(on_behalf_of)
        return await self._http.post_json(self._url + path, body, headers, seconds=seconds)

    @asynccontextmanager
    async def stream(
        self, path: str, body: object, *, on_behalf_of: str | None = None, seconds: float
    ) -> AsyncIterator[Streamed]:
        """An answer of any size, which is read inside the block. Waits up to `seconds` for each
        part.

        :raises HttpError: no answer, or not a 2xx.
        :raises RefusedError: the provider does not take the person's token.
        :raises TransientError: the provider gives no token.
        """
        headers = await self._headers(on_behalf_of)
        url = self._url + path
        async with self._http.post_for_pieces(url, body, headers, seconds=seconds) as answer:
            yield answer

    async def _headers(self, on_behalf_of: str | None) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {await self._tokens.get()}"}
        if on_behalf_of is not None:
            theirs = await self._tokens.exchanged(on_behalf_of)
            headers["X-On-Behalf-Of"] = f"Bearer {theirs}"
        return headers
