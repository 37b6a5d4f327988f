"""Key-encryption keys in HashiCorp Vault or OpenBao: the transit secrets engine over HTTP.

The key never leaves the server. The record id is sent as associated data, so the key must have an
AEAD type (aes256-gcm96, the default, or chacha20-poly1305). The id of a key-encryption key names
mount, key and version: `vault:transit/direct311-intake:v3`.
"""

import base64
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from direct311.runtime.errors import RuntimeFaultError
from direct311.runtime.micro_batch import MicroBatcher
from direct311.runtime.peers import HttpClient, HttpError
from direct311.runtime.vault.keys import KeyProviderError, KeyServiceDeniedError, KeyServiceError

SCHEME = "vault:"
_Asked = tuple[bytes, str]
_Answer = bytes | RuntimeFaultError


class _Batches(MicroBatcher[_Asked, _Answer]):
    LARGEST = 200
    """The servers refuse bodies with more than 1,000 strings; an item here has four."""


class TransitKeyProvider:
    """`KeyProvider` over one key of a transit engine. Concurrent calls go out as one batch.

    `address` is `https://host:8200/mount/key`; `token` returns the current token, which an agent
    beside the process may renew at any time.
    """

    def __init__(self, http: HttpClient, address: str, token: Callable[[], str]) -> None:
        parts = urlsplit(address)
        mount, _, key = parts.path.strip("/").rpartition("/")
        if not (parts.scheme in ("http", "https") and parts.netloc and mount and key):
            raise KeyProviderError("a transit key is given as vault:https://host:8200/mount/key")
        self._http = http
        self._base = f"{parts.scheme}://{parts.netloc}/v1/{mount}"
        self._key = key
        self._name = f"{SCHEME}{mount}/{key}"
        self._token = token
        self._wrapping = _Batches("transit", self._wrap)
        self._unwrapping = _Batches("transit", self._unwrap)

    async def current(self) -> str:
        try:
            answer = await self._http.get_json(f"{self._base}/keys/{self._key}", self._headers())
        except HttpError as error:
            if error.status == 404:
                raise KeyProviderError(f"the key server has no key {self._name}") from None
            raise self._fault(error, "read") from None
        return f"{self._name}:v{answer['data']['latest_version']}"

    def owns(self, key_id: str) -> bool:
        return key_id.startswith(f"{self._name}:")

    async def wrap(self, data_key: bytes, context: str) -> tuple[str, bytes]:
        answer = await self._wrapping((data_key, context))
        if isinstance(answer, KeyProviderError):
            # Our input is always well formed, so the key is at fault.
            raise KeyServiceDeniedError(str(answer))
        wrapped = _given(answer)
        return f"{self._name}:{_version(wrapped)}", wrapped

    async def unwrap(self, key_id: str, wrapped: bytes, context: str) -> bytes:
        if key_id != f"{self._name}:{_version(wrapped)}":
            raise KeyProviderError(f"{key_id} did not wrap it")
        return _given(await self._unwrapping((wrapped, context)))

    async def _wrap(self, asked: Sequence[_Asked]) -> Sequence[_Answer]:
        items = [{"plaintext": _text(key), **_associated(context)} for key, context in asked]
        return await self._batch("encrypt", items, lambda item: item["ciphertext"].encode())

    async def _unwrap(self, asked: Sequence[_Asked]) -> Sequence[_Answer]:
        items = [{"ciphertext": wrapped.decode(), **_associated(of)} for wrapped, of in asked]
        return await self._batch("decrypt", items, lambda item: base64.b64decode(item["plaintext"]))

    async def _batch(
        self, what: str, items: Sequence[dict[str, str]], read: Callable[[Any], bytes]
    ) -> Sequence[_Answer]:
        url = f"{self._base}/{what}/{self._key}"
        try:
            answer = await self._http.post_json(url, {"batch_input": items}, self._headers())
        except HttpError as error:
            # One bad item makes the whole answer a 400, which still has the results of the others.
            answer = error.problem
            if error.status != 400 or not _results(answer, len(items)):
                return [self._fault(error, what)] * len(items)
        except KeyServiceError as error:
            return [error] * len(items)
        results = _results(answer, len(items))
        if results is None:
            return [KeyServiceError("the key server's answer cannot be read")] * len(items)
        return [
            KeyProviderError(f"{self._name} could not {what} it: {_reason(item['error'])}")
            if item.get("error")
            else read(item)
            for item in results
        ]

    def _headers(self) -> dict[str, str]:
        return {"X-Vault-Token": self._token(), "X-Vault-Request": "true"}

    def _fault(self, error: HttpError, what: str) -> RuntimeFaultError:
        if error.status == 403:
            return KeyServiceDeniedError(
                f"the key server refuses: the token may not {what} with {self._name}"
            )
        if error.status == 404:
            return KeyServiceDeniedError(f"the key server has no transit engine at {self._base}")
        if error.status == 400:
            return KeyProviderError(f"the key server could not {what} with {self._name}")
        return KeyServiceError("the key server does not answer")


def _given(answer: _Answer) -> bytes:
    if isinstance(answer, RuntimeFaultError):
        raise answer
    return answer


def _version(wrapped: bytes) -> str:
    """The `v3` in `vault:v3:…`: the wrapped key contains the key's version."""
    prefix, _, rest = wrapped.partition(b":")
    version, colon, _ = rest.partition(b":")
    if prefix != b"vault" or not colon:
        raise KeyProviderError("a transit key did not wrap it")
    return version.decode(errors="replace")


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _associated(context: str) -> dict[str, str]:
    return {"associated_data": _text(context.encode())}


def _results(answer: Any, expected: int) -> list[dict[str, Any]] | None:
    """The items of a batch's answer, if it is one."""
    data = answer.get("data") if isinstance(answer, dict) else None
    results = data.get("batch_results") if isinstance(data, dict) else None
    return results if isinstance(results, list) and len(results) == expected else None


_REASONS = {
    "authentication failed": "the key did not wrap it, or the context differs",
    "too old": "the key's version is archived (min_decryption_version)",
    "too new": "the key has no such version",
    "not found": "there is no such key",
}


def _reason(said: str) -> str:
    """The server's reason, in words from a closed list: its own message may quote its input."""
    return next((words for part, words in _REASONS.items() if part in said), "malformed")
