"""Connections to Kafka that say so when they are broken, under uvloop too.

A write to a connection that the broker has just reset raises `RuntimeError` under uvloop. aiokafka
0.14 expects an `OSError` there (its issue 1038); anything else ends the task that was sending, and
with it the producer, the consumer or the reading of metadata for the rest of the process's life.
"""

from typing import Any

import aiokafka.conn
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError


class Connection(AIOKafkaConnection):
    def send(self, request: Any, expect_response: bool = True) -> Any:
        """:raises KafkaConnectionError: it is broken; the client makes another."""
        try:
            return super().send(request, expect_response)  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            self.close(reason=CloseReason.CONNECTION_BROKEN)  # type: ignore[no-untyped-call]
            raise KafkaConnectionError(f"{self.host}:{self.port} is broken") from error


def use() -> None:
    """All clients of this process that are made from now on have such connections."""
    aiokafka.conn.AIOKafkaConnection = Connection  # type: ignore[misc]
