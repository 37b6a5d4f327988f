"""Every provider of key-encryption keys keeps the same promises: the file, OpenBao's transit
engine, and KMS."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Protocol
from uuid import uuid4

import botocore.session
import pytest

from direct311.runtime.peers import HttpClient
from direct311.runtime.settings import VaultSettings
from direct311.runtime.vault.awskms import KmsKeyProvider
from direct311.runtime.vault.keys import (
    FileKeyProvider,
    KeyProvider,
    KeyProviderError,
    KeyProviders,
    KeyServiceDeniedError,
    KeyServiceError,
)
from direct311.runtime.vault.providers import key_provider
from direct311.runtime.vault.transit import TransitKeyProvider
from tests.support import keyservers
from tests.support.keyservers import Bao, bao, free_port, kms

pytestmark = [pytest.mark.wire, pytest.mark.anyio]
KEY = bytes(range(32))
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Keys(Protocol):
    """Where a test's keys lie, and what their keeper can do with them."""

    def provider(self) -> KeyProvider: ...

    def rotate(self) -> None:
        """From now on new data keys are wrapped with another key."""

    def withdraw(self, key_id: str) -> None:
        """The key is not to be had any more, as far as the provider lets one go."""


@dataclass
class InFile:
    keys: dict[str, bytes] = field(default_factory=lambda: {"kek-1": os.urandom(32)})
    current: str = "kek-1"

    def provider(self) -> KeyProvider:
        return FileKeyProvider(self.current, self.keys)

    def rotate(self) -> None:
        self.current = f"kek-{len(self.keys) + 1}"
        self.keys[self.current] = os.urandom(32)

    def withdraw(self, key_id: str) -> None:
        del self.keys[key_id]


class InBao:
    def __init__(self, server: Bao, http: HttpClient) -> None:
        self.server = server
        self.http = http
        self.name = f"k-{uuid4().hex}"
        self.address = server.key(self.name)
        self.token = server.token(self.name)

    def provider(self) -> KeyProvider:
        return TransitKeyProvider(self.http, self.address, lambda: self.token)

    def rotate(self) -> None:
        self.server.call("POST", f"transit/keys/{self.name}/rotate", {})

    def withdraw(self, key_id: str) -> None:
        version = int(key_id.rpartition(":v")[2]) + 1
        settings = {"min_decryption_version": version}
        self.server.call("POST", f"transit/keys/{self.name}/config", settings)


class InKms:
    def __init__(self) -> None:
        self.client = botocore.session.get_session().create_client("kms")
        self.alias = f"alias/k-{uuid4().hex}"
        self.client.create_alias(AliasName=self.alias, TargetKeyId=self._key())

    def _key(self) -> str:
        return str(self.client.create_key()["KeyMetadata"]["KeyId"])

    def provider(self) -> KeyProvider:
        return KmsKeyProvider(self.alias)

    def rotate(self) -> None:
        self.client.update_alias(AliasName=self.alias, TargetKeyId=self._key())

    def withdraw(self, key_id: str) -> None:
        self.client.schedule_key_deletion(KeyId=key_id.removeprefix("awskms:"))


@pytest.fixture(scope="module")
def bao_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    with bao(tmp_path_factory.mktemp("bao")) as server:
        yield server


@pytest.fixture(scope="module")
def kms_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if keyservers.GO is None:
        pytest.skip("the Go toolchain is not installed")
    with kms(tmp_path_factory.mktemp("kms")) as url:
        yield url


def aws(patch: pytest.MonkeyPatch, url: str) -> None:
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL_KMS": url}.items():
        patch.setenv(name, value)


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.close()


@pytest.fixture(params=["file", "transit", "kms"])
def keys(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, http: HttpClient) -> Keys:
    if request.param == "file":
        return InFile()
    if request.param == "transit":
        return InBao(request.getfixturevalue("bao_server"), http)
    aws(monkeypatch, request.getfixturevalue("kms_url"))
    return InKms()


async def test_what_was_wrapped_unwraps_for_its_record(keys: Keys) -> None:
    provider = keys.provider()
    key_id, wrapped = await provider.wrap(KEY, "r1")
    assert key_id == await provider.current()
    assert provider.owns(key_id)
    assert KEY not in wrapped
    assert await provider.unwrap(key_id, wrapped, "r1") == KEY
    assert await keys.provider().unwrap(key_id, wrapped, "r1") == KEY


async def test_another_records_context_does_not_unwrap(keys: Keys) -> None:
    provider = keys.provider()
    key_id, wrapped = await provider.wrap(KEY, "r1")
    with pytest.raises(KeyProviderError):
        await provider.unwrap(key_id, wrapped, "r2")


async def test_changed_bytes_do_not_unwrap(keys: Keys) -> None:
    provider = keys.provider()
    key_id, wrapped = await provider.wrap(KEY, "r1")
    changed = wrapped[:-8] + bytes([wrapped[-8] ^ 1]) + wrapped[-7:]
    for other in (changed, wrapped[: len(wrapped) // 2], b""):
        with pytest.raises(KeyProviderError):
            await provider.unwrap(key_id, other, "r1")


async def test_a_key_that_was_never_there_is_said_to_be_unknown(keys: Keys) -> None:
    provider = keys.provider()
    key_id, wrapped = await provider.wrap(KEY, "r1")
    unknown = key_id[:-1] + ("8" if key_id[-1] != "8" else "9")
    with pytest.raises(KeyProviderError):
        await provider.unwrap(unknown, wrapped, "r1")


async def test_many_at_once_each_get_their_own(keys: Keys) -> None:
    provider = keys.provider()
    plain = {f"r{number}": os.urandom(32) for number in range(300)}
    wrapped = await asyncio.gather(*(provider.wrap(key, of) for of, key in plain.items()))
    assert len({each for _, each in wrapped}) == 300
    unwrapped = await asyncio.gather(
        *(provider.unwrap(*each, of) for each, of in zip(wrapped, plain, strict=True))
    )
    assert unwrapped == list(plain.values())


async def test_one_that_does_not_unwrap_leaves_its_neighbours_alone(keys: Keys) -> None:
    provider = keys.provider()
    wrapped = await asyncio.gather(*(provider.wrap(KEY, f"r{number}") for number in range(5)))
    found = await asyncio.gather(
        *(
            provider.unwrap(*each, "other" if number == 2 else f"r{number}")
            for number, each in enumerate(wrapped)
        ),
        return_exceptions=True,
    )
    assert isinstance(found[2], KeyProviderError)
    assert [each for number, each in enumerate(found) if number != 2] == [KEY] * 4


async def test_after_a_rotation_new_keys_go_under_the_new_one_and_old_ones_open(keys: Keys) -> None:
    before, wrapped = await keys.provider().wrap(KEY, "r1")
    keys.rotate()
    provider = keys.provider()
    after, again = await provider.wrap(KEY, "r1")
    assert after == await provider.current() != before
    assert await provider.unwrap(before, wrapped, "r1") == KEY
    assert await provider.unwrap(after, again, "r1") == KEY


async def test_a_key_that_was_taken_away_is_named(keys: Keys) -> None:
    before, wrapped = await keys.provider().wrap(KEY, "r1")
    keys.rotate()
    keys.withdraw(before)
    with pytest.raises((KeyProviderError, KeyServiceDeniedError)) as told:
        await keys.provider().unwrap(before, wrapped, "r1")
    named = before.removeprefix("awskms:").removeprefix("vault:").rpartition(":v")
    assert (named[0] or named[2]) in str(told.value)


# ---------------------------------------------------------------- servers that fail


@pytest.fixture(params=["transit", "kms"])
def away(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, http: HttpClient
) -> KeyProvider:
    url = f"http://127.0.0.1:{free_port()}"
    return remote(request.param, url, http, monkeypatch)


def remote(kind: str, url: str, http: HttpClient, patch: pytest.MonkeyPatch) -> KeyProvider:
    if kind == "transit":
        return TransitKeyProvider(http, f"{url}/transit/k", lambda: "token")
    aws(patch, url)
    return KmsKeyProvider("arn:aws:kms:us-east-1:111122223333:key/k")


WRAPPED = {
    "transit": ("vault:transit/k:v1", b"vault:v1:AAAA"),
    "kms": ("awskms:arn:aws:kms:us-east-1:111122223333:key/k", b"wrapped"),
}


async def test_a_server_that_is_away_may_be_asked_again(away: KeyProvider) -> None:
    wrapped = WRAPPED["transit" if isinstance(away, TransitKeyProvider) else "kms"]
    for call in (away.current(), away.wrap(KEY, "r1"), away.unwrap(*wrapped, "r1")):
        with pytest.raises(KeyServiceError) as told:
            await call
        assert not isinstance(told.value, KeyServiceDeniedError)


class Answering(BaseHTTPRequestHandler):
    """Gives every request the same answer."""

    status = 500
    body = b"{}"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.do_GET()

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the test's output."""


@pytest.mark.parametrize(
    ("kind", "status", "body", "expected"),
    [
        ("transit", 503, b'{"errors":["Vault is sealed"]}', KeyServiceError),
        ("transit", 429, b'{"errors":["request path is rate limited"]}', KeyServiceError),
        ("transit", 200, b'{"data":{"batch_results":[]}}', KeyServiceError),
        ("transit", 200, b"<html>", KeyServiceError),
        ("transit", 403, b'{"errors":["permission denied"]}', KeyServiceDeniedError),
        ("transit", 404, b'{"errors":["no handler for route"]}', KeyServiceDeniedError),
        ("kms", 500, b'{"__type":"KMSInternalException"}', KeyServiceError),
        ("kms", 400, b'{"__type":"ThrottlingException"}', KeyServiceError),
        ("kms", 400, b'{"__type":"AccessDeniedException"}', KeyServiceDeniedError),
        ("kms", 400, b'{"__type":"DisabledException"}', KeyServiceDeniedError),
        ("kms", 400, b'{"__type":"KMSInvalidStateException"}', KeyServiceDeniedError),
    ],
)
async def test_what_a_server_may_say_is_told_apart(
    monkeypatch: pytest.MonkeyPatch,
    http: HttpClient,
    kind: str,
    status: int,
    body: bytes,
    expected: type[KeyServiceError],
) -> None:
    handler = type("Handler", (Answering,), {"status": status, "body": body})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            provider = remote(kind, f"http://127.0.0.1:{server.server_port}", http, monkeypatch)
            for call in (provider.wrap(KEY, "r1"), provider.unwrap(*WRAPPED[kind], "r1")):
                with pytest.raises(KeyServiceError) as told:
                    await call
                assert type(told.value) is expected
        finally:
            server.shutdown()
            thread.join()


async def test_a_token_without_the_right_is_refused_and_told_so(
    bao_server: Bao, http: HttpClient
) -> None:
    keys = InBao(bao_server, http)
    key_id, wrapped = await keys.provider().wrap(KEY, "r1")
    keys.token = bao_server.token(
        keys.name, 'path "transit/keys/{key}" {{ capabilities = ["read"] }}'
    )
    provider = keys.provider()
    assert await provider.current() == key_id
    with pytest.raises(KeyServiceDeniedError, match="may not encrypt"):
        await provider.wrap(KEY, "r2")
    with pytest.raises(KeyServiceDeniedError, match="may not decrypt"):
        await provider.unwrap(key_id, wrapped, "r1")


async def test_a_services_token_cannot_make_a_key_by_a_wrong_name(
    bao_server: Bao, http: HttpClient
) -> None:
    keys = InBao(bao_server, http)
    provider = TransitKeyProvider(http, f"{keys.address}-mistyped", lambda: keys.token)
    with pytest.raises(KeyServiceDeniedError):
        await provider.wrap(KEY, "r1")
    with pytest.raises(KeyServiceDeniedError):
        await provider.current()


# ---------------------------------------------------------------- settings


def settings(**values: object) -> VaultSettings:
    return VaultSettings.model_validate(values)


async def test_the_setting_chooses_and_the_first_of_several_wraps(
    bao_server: Bao, http: HttpClient, tmp_path: Path
) -> None:
    keys = InBao(bao_server, http)
    (tmp_path / "token").write_text(keys.token + "\n")
    (tmp_path / "kek.json").write_text(
        '{"current": "kek-1", "keys": {"kek-1": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}'
    )
    old = key_provider(settings(kek_file=tmp_path / "kek.json"), http)
    key_id, wrapped = await old.wrap(KEY, "r1")
    both = key_provider(
        settings(
            kek_provider=f"vault:{keys.address} file",
            kek_file=tmp_path / "kek.json",
            key_token_file=tmp_path / "token",
        ),
        http,
    )
    assert isinstance(both, KeyProviders)
    assert await both.unwrap(key_id, wrapped, "r1") == KEY
    assert (await both.wrap(KEY, "r1"))[0] == f"vault:transit/{keys.name}:v1"
    with pytest.raises(KeyProviderError, match="no key provider is set for awskms"):
        await both.unwrap("awskms:arn", wrapped, "r1")
    (tmp_path / "token").unlink()
    with pytest.raises(KeyServiceDeniedError, match="token"):
        await both.wrap(KEY, "r1")


@pytest.mark.parametrize(
    "values",
    [
        {"kek_provider": "file"},
        {"kek_provider": "vault:http://127.0.0.1/transit/k"},
        {"kek_provider": "vault:k", "key_token_file": "t"},
        {"kek_provider": "vault:http://127.0.0.1/k", "key_token_file": "t"},
        {"kek_provider": "awskms:"},
        {"kek_provider": "gcpkms:k"},
    ],
)
async def test_a_setting_that_cannot_be_is_told_at_once(
    values: dict[str, object], http: HttpClient
) -> None:
    with pytest.raises(KeyProviderError):
        key_provider(settings(**values), http)
