"""`POST <prefix>/add-checkpoint`, and `GET /health/ready` for process monitors."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from direct311.verifier.submission import PATH, SIZE_TYPE
from direct311.witness.witness import Answer, Witness

LARGEST_BODY = 64 * 1024
"""In bytes. 63 hashes and a checkpoint with many signatures take a tenth of this."""

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_log = logging.getLogger("direct311.witness")


class WitnessApp:
    """An ASGI application. Callers do not authenticate: the log's signature is enough."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        answer = await self._answer(scope, receive)
        conflict = answer.status is HTTPStatus.CONFLICT
        kind = SIZE_TYPE if conflict else "text/plain; charset=utf-8"
        body = answer.text.encode()
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        await send(
            {"type": "http.response.start", "status": int(answer.status), "headers": headers}
        )
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Message, receive: Receive) -> Answer:
        match scope["path"], scope["method"]:
            case "/health/ready", "GET":
                return Answer(HTTPStatus.OK, "ready\n")
            case path, "POST" if path.endswith(f"/{PATH}"):
                body = await _body(receive)
                if body is None:
                    return Answer(HTTPStatus.BAD_REQUEST, "the request is too long\n")
                # Waits for the disk.
                answer = await asyncio.to_thread(self._witness.add_checkpoint, body)
                if answer.contradiction is not None:
                    _log.warning("not cosigned (%s): %r", answer.status, answer.contradiction)
                return answer
            case path, _ if path.endswith(f"/{PATH}"):
                return Answer(HTTPStatus.METHOD_NOT_ALLOWED, "only POST is allowed here\n")
        return Answer(HTTPStatus.NOT_FOUND, "there is nothing here\n")


async def _body(receive: Receive) -> bytes | None:
    """The request's body; `None` if it is too long or its sender disconnected."""
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            return None
        if not message.get("more_body", False):
            return body
