"""Connections to Kafka that report when they are broken, under uvloop too.

A write to a connection that the broker has just reset raises `RuntimeError` under uvloop. aiokafka
0.14 expects an `OSError` there (aio-libs/aiokafka#1038); anything else ends the task that was
sending, and with it the producer, the consumer or the reading of metadata for the rest of the
process's life.
"""

from collections.abc import Callable
from typing import Any

import aiokafka.conn
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError


class Connection(AIOKafkaConnection):
    """:raises KafkaConnectionError: (by every send) it is broken; the client makes another."""

    def send(self, request: Any, expect_response: bool = True) -> Any:
        return self._or_broken(super().send, request, expect_response)

    def _send_sasl_token(self, payload: bytes, expect_response: bool = True) -> Any:
        return self._or_broken(super()._send_sasl_token, payload, expect_response)

    def _or_broken(self, send: Callable[..., Any], what: Any, expect_response: bool) -> Any:
        try:
            return send(what, expect_response)
        except RuntimeError as error:
            self.close(reason=CloseReason.CONNECTION_BROKEN)  # type: ignore[no-untyped-call]
            raise KafkaConnectionError(f"{self.host}:{self.port} is broken") from error


def use() -> None:
    """All clients that this process makes from now on have such connections."""
    aiokafka.conn.AIOKafkaConnection = Connection  # type: ignore[misc]
