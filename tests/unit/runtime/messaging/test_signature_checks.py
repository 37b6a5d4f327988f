"""Signatures that a worker process checks."""

import asyncio
import io
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Set
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from direct311.runtime.messaging.signature_checks import FEW, SignatureChecks
from direct311.runtime.messaging.signature_worker import serve
from direct311.runtime.messaging.signing import Claim, PublicKey

pytestmark = pytest.mark.anyio

MANY = FEW + 10
PRIVATE = Ed25519PrivateKey.generate()
KEY = PublicKey(
    "intake-1",
    "intake",
    PRIVATE.public_key(),
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2027, 1, 1, tzinfo=UTC),
)


def claims(count: int, *, wrong: Set[int] = frozenset()) -> list[Claim]:
    """So many claims; those that are `wrong` sign other bytes."""
    found = []
    for number in range(count):
        said = b"event %d" % number
        signed = said + b"!" if number in wrong else said
        found.append(Claim(KEY, PRIVATE.sign(signed), said))
    return found


@pytest.fixture
async def checks() -> AsyncIterator[SignatureChecks]:
    found = SignatureChecks()
    yield found
    await found.aclose()


@pytest.mark.parametrize("count", [0, 3, MANY])
async def test_a_wrong_signature_is_found_in_its_place(checks: SignatureChecks, count: int) -> None:
    wrong = {1, count - 1}
    right = await checks.right(claims(count, wrong=wrong))
    assert [at for at, good in enumerate(right) if not good] == sorted(wrong & {*range(count)})


async def test_few_signatures_start_no_process(checks: SignatureChecks) -> None:
    await checks.right(claims(FEW))
    assert checks._worker is None


async def test_a_worker_that_died_is_replaced_and_nothing_goes_unchecked(
    checks: SignatureChecks,
) -> None:
    assert all(await checks.right(claims(MANY)))
    first = checks._worker
    assert first is not None
    first.kill()
    await first.wait()
    right = await checks.right(claims(MANY, wrong={7}))
    assert [at for at, good in enumerate(right) if not good] == [7]
    assert all(await checks.right(claims(MANY)))
    assert checks._worker is not None
    assert checks._worker is not first


async def test_a_worker_that_hangs_is_ended() -> None:
    checks = SignatureChecks(patience=0.2)
    checks._worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "import time; time.sleep(60)"), stdin=PIPE, stdout=PIPE
    )
    hanging = checks._worker
    right = await checks.right(claims(MANY, wrong={3}))
    assert [at for at, good in enumerate(right) if not good] == [3]
    assert hanging.returncode is not None
    assert checks._worker is None


async def test_what_a_broken_worker_says_counts_for_nothing() -> None:
    checks = SignatureChecks("this")
    right = await checks.right(claims(MANY, wrong={0}))
    assert [at for at, good in enumerate(right) if not good] == [0]
    await checks.aclose()


def test_the_worker_answers_each_request_and_ends_with_its_input() -> None:
    parts = []
    for wrong in ({0}, {1}):
        found = claims(2, wrong=wrong)
        request = b"".join(
            key.key.public_bytes_raw() + signature + len(said).to_bytes(4) + said
            for key, signature, said in found
        )
        parts.append(len(request).to_bytes(4) + request)
    answers = io.BytesIO()
    serve(io.BytesIO(b"".join(parts)), answers)
    two = (2).to_bytes(4)
    assert answers.getvalue() == two + b"\0\1" + two + b"\1\0"
