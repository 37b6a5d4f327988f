"""Checks Ed25519 signatures for the service that started it.

A request is its length (4 bytes) and claims: a public key (32 bytes), a signature (64), the length
of what was signed (4), and that. The answer is the number of claims (4 bytes) and a byte for each:
1 if the signature is right, else 0. The process ends with its input.
"""

import sys
from collections.abc import Iterator
from functools import cache
from typing import BinaryIO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEY, SIGNATURE, LENGTH = 32, 64, 4


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer every request."""
    while head := requests.read(LENGTH):
        outcome = bytes(_is_right(*claim) for claim in _claims(requests.read(int.from_bytes(head))))
        answers.write(len(outcome).to_bytes(LENGTH) + outcome)
        answers.flush()


def _claims(request: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    at = 0
    while at < len(request):
        signature = at + KEY
        length = signature + SIGNATURE
        said = length + LENGTH
        end = said + int.from_bytes(request[length:said])
        yield request[at:signature], request[signature:length], request[said:end]
        at = end


def _is_right(public: bytes, signature: bytes, said: bytes) -> bool:
    try:
        _key(public).verify(signature, said)
    except InvalidSignature:
        return False
    return True


@cache
def _key(public: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public)


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
