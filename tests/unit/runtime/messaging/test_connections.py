"""A connection that the broker resets is told as broken, under the event loop of the services."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiokafka.conn
import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.admin import ApiVersionRequest
from pydantic import SecretStr

from direct311.runtime.messaging import connections as kafka_connections
from direct311.runtime.messaging.broker import make_broker
from direct311.runtime.settings import ServiceSettings


async def _send_after_a_reset(
    made: type[AIOKafkaConnection], send: Callable[[AIOKafkaConnection], Awaitable[object]]
) -> tuple[BaseException, Any]:
    """What a send raises on a connection that is gone and does not know it yet; the connection."""

    async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connection = made("127.0.0.1", port)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    connection._reader, connection._writer = reader, writer
    connection._read_task = asyncio.create_task(asyncio.sleep(0))
    writer.transport.abort()
    for _ in range(2):
        await asyncio.sleep(0)
    try:
        with pytest.raises((RuntimeError, KafkaConnectionError)) as raised:
            await send(connection)
        return raised.value, connection
    finally:
        connection._reader = None
        server.close()


SENDS: dict[str, Callable[[AIOKafkaConnection], Awaitable[object]]] = {
    "a request": lambda connection: connection.send(ApiVersionRequest()),
    "a token": lambda connection: connection._send_sasl_token(b"x"),
}


@pytest.mark.parametrize("send", SENDS.values(), ids=SENDS)
def test_a_send_on_a_connection_that_was_reset_says_that_it_is_broken(
    send: Callable[[AIOKafkaConnection], Awaitable[object]],
) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        raised, connection = runner.run(_send_after_a_reset(kafka_connections.Connection, send))
        assert isinstance(raised, KafkaConnectionError)
        assert connection._writer is None


@pytest.mark.parametrize("send", SENDS.values(), ids=SENDS)
def test_the_librarys_own_connection_still_does_not(
    send: Callable[[AIOKafkaConnection], Awaitable[object]],
) -> None:
    """Once it does, the module can go."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        raised, _ = runner.run(_send_after_a_reset(AIOKafkaConnection, send))
        assert isinstance(raised, RuntimeError)


@pytest.mark.anyio
async def test_every_process_has_such_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiokafka.conn, "AIOKafkaConnection", AIOKafkaConnection)
    settings = ServiceSettings.model_construct(
        kafka_bootstrap="127.0.0.1:1",
        kafka_username="nobody",
        kafka_password=SecretStr("nothing"),
        kafka_security="SASL_PLAINTEXT",
    )
    make_broker(settings, "test")
    assert aiokafka.conn.AIOKafkaConnection is kafka_connections.Connection
