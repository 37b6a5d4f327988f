"""Key-encryption keys in AWS KMS: the only module that knows the client library.

The key never leaves KMS. The record id is sent as encryption context, so the account's CloudTrail
shows it with each use. The id of a key-encryption key is `awskms:` and its ARN; if KMS rotates a
key automatically, the old material keeps the same ARN.

botocore finds credentials (the pod's role, the machine's, the environment), region and endpoint as
every AWS tool does, and renews them; this module reads none of that.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from direct311.runtime.vault.keys import KeyProviderError, KeyServiceDeniedError, KeyServiceError

SCHEME = "awskms:"
CONTEXT = "direct311:record"
"""The name of the record id in the encryption context; AWS policies may require it."""

_GONE = {"NotFoundException", "InvalidArnException"}
_OFF = {
    "DisabledException": "is disabled",
    "KMSInvalidStateException": "is disabled, or waits for its deletion",
    "InvalidKeyUsageException": "is not a key for encryption",
}
_OTHER = {"InvalidCiphertextException", "IncorrectKeyException", "ValidationException"}
_REFUSED = {
    "AccessDeniedException",
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "ExpiredTokenException",
}


class KmsKeyProvider:
    """`KeyProvider` over one KMS key. `key`: its ARN, id, or alias with `alias/` in front.

    KMS has no batches and the library blocks, so each call runs in one of `threads` threads.
    """

    def __init__(self, key: str, *, region: str | None = None, threads: int = 16) -> None:
        if not key:
            raise KeyProviderError("a KMS key is given as awskms:alias/name or awskms:its ARN")
        parts = key.split(":")
        if region is None and key.startswith("arn:") and len(parts) > 3:
            region = parts[3]
        self._key = key
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="kms")
        try:
            self._client = botocore.session.get_session().create_client(
                "kms",
                region_name=region,
                config=Config(
                    connect_timeout=2,
                    read_timeout=3,
                    max_pool_connections=threads,
                    retries={"mode": "standard", "total_max_attempts": 2},
                ),
            )
        except BotoCoreError as error:
            raise KeyProviderError(
                f"a client of KMS cannot be made: {type(error).__name__}"
            ) from None

    async def current(self) -> str:
        answer = await self._call(self._client.describe_key, self._key, KeyId=self._key)
        return f"{SCHEME}{answer['KeyMetadata']['Arn']}"

    def owns(self, key_id: str) -> bool:
        return key_id.startswith(SCHEME)

    async def wrap(self, data_key: bytes, context: str) -> tuple[str, bytes]:
        try:
            answer = await self._call(
                self._client.encrypt,
                self._key,
                KeyId=self._key,
                Plaintext=data_key,
                EncryptionContext={CONTEXT: context},
            )
        except KeyProviderError as error:
            # Our input is always well formed, so the key is at fault.
            raise KeyServiceDeniedError(str(error)) from None
        return f"{SCHEME}{answer['KeyId']}", answer["CiphertextBlob"]

    async def unwrap(self, key_id: str, wrapped: bytes, context: str) -> bytes:
        arn = key_id.removeprefix(SCHEME)
        answer = await self._call(
            self._client.decrypt,
            arn,
            KeyId=arn,
            CiphertextBlob=wrapped,
            EncryptionContext={CONTEXT: context},
        )
        plain: bytes = answer["Plaintext"]
        return plain

    async def _call(self, method: Callable[..., Any], key: str, **arguments: Any) -> Any:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, partial(method, **arguments))
        except ClientError as error:
            raise _fault(str(error.response.get("Error", {}).get("Code", "")), key) from None
        except NoCredentialsError:
            raise KeyServiceDeniedError("there are no credentials for KMS here") from None
        except BotoCoreError:
            raise KeyServiceError("KMS does not answer") from None


def _fault(code: str, key: str) -> KeyProviderError | KeyServiceError:
    """What a KMS error code means for us; its message may quote its input."""
    if code in _GONE:
        return KeyProviderError(f"KMS has no key {key}")
    if code in _OTHER:
        return KeyProviderError(f"{key} did not wrap it, or the context differs")
    if code in _OFF:
        return KeyServiceDeniedError(f"the KMS key {key} {_OFF[code]}")
    if code in _REFUSED:
        return KeyServiceDeniedError(f"KMS refuses the use of {key}: {code}")
    return KeyServiceError("KMS does not answer, or is overloaded")
