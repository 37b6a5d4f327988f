"""Signatures of many events, checked in a process of their own.

Checking an Ed25519 signature takes longer than everything else about an event, and the library
keeps Python's lock meanwhile, so threads do not help. A worker process (`signature_worker`) sees
only public keys, signatures and signed bytes. It gets no environment.
"""

import asyncio
import contextlib
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence

import structlog
from cryptography.exceptions import InvalidSignature

from direct311.runtime.messaging.signature_worker import LENGTH
from direct311.runtime.messaging.signing import Claim
from direct311.runtime.pacing import paced

_log = structlog.get_logger(__name__)
_MODULE = "direct311.runtime.messaging.signature_worker"

FEW = 50
"""So many signatures are checked at once here: handing them over would save little."""


class SignatureChecks:
    """Checks signatures in a worker, which is started when it is first needed and again after it
    died. What a worker does not answer within `patience` seconds is checked here."""

    def __init__(self, module: str = _MODULE, *, patience: float = 20.0) -> None:
        self._module = module
        self._patience = patience
        self._worker: Process | None = None
        self._asking = asyncio.Lock()

    async def right(self, claims: Sequence[Claim]) -> Sequence[bool]:
        """Which of these signatures are right."""
        if len(claims) > FEW:
            try:
                return await self._asked(claims)
            except (OSError, EOFError) as error:
                _log.warning("signatures.worker_lost", error=type(error).__name__)
        return [_is_right(claim) async for claim in paced(claims)]

    async def aclose(self) -> None:
        """End the worker."""
        if self._worker is not None:
            await self._end(self._worker)

    async def _asked(self, claims: Sequence[Claim]) -> Sequence[bool]:
        """:raises OSError, EOFError: the worker cannot be started, died, answered too late or
        something else than it was asked."""
        request = b"".join(_parts(claims))
        async with self._asking:
            worker = await self._running()
            try:
                async with asyncio.timeout(self._patience):
                    return await _exchange(worker, request, len(claims))
            except BaseException:
                # Whoever asked next would get this answer.
                await self._end(worker)
                raise

    async def _running(self) -> Process:
        if self._worker is None:
            # Isolated mode and an empty environment: none of the service's settings are passed on.
            self._worker = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-m", self._module),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                env={},
            )
        return self._worker

    async def _end(self, worker: Process) -> None:
        if self._worker is worker:
            self._worker = None
        with contextlib.suppress(ProcessLookupError):
            worker.kill()
        await worker.wait()


async def _exchange(worker: Process, request: bytes, count: int) -> Sequence[bool]:
    if worker.stdin is None or worker.stdout is None:
        raise EOFError
    worker.stdin.write(len(request).to_bytes(LENGTH) + request)
    await worker.stdin.drain()
    if int.from_bytes(await worker.stdout.readexactly(LENGTH)) != count:
        raise EOFError
    return [each == 1 for each in await worker.stdout.readexactly(count)]


def _parts(claims: Sequence[Claim]) -> Sequence[bytes]:
    parts: list[bytes] = []
    for key, signature, said in claims:
        parts += (key.key.public_bytes_raw(), signature, len(said).to_bytes(LENGTH), said)
    return parts


def _is_right(claim: Claim) -> bool:
    try:
        claim.key.key.verify(claim.signature, claim.said)
    except InvalidSignature:
        return False
    return True
