"""The key providers that a service uses, according to its settings."""

from collections.abc import Callable
from pathlib import Path

from direct311.runtime.peers import HttpClient
from direct311.runtime.settings import VaultSettings
from direct311.runtime.vault import transit
from direct311.runtime.vault.keys import (
    FileKeyProvider,
    KeyProvider,
    KeyProviderError,
    KeyProviders,
    KeyServiceDeniedError,
)


def key_provider(settings: VaultSettings, http: HttpClient) -> KeyProvider:
    """The provider that `kek_provider` names; the first of several wraps.

    :raises KeyProviderError: a provider is unknown, not installed, or lacks a setting.
    """
    found = [_provider(each, settings, http) for each in settings.kek_provider.split()]
    if not found:
        raise KeyProviderError("no key provider is set")
    return found[0] if len(found) == 1 else KeyProviders(found)


def _provider(named: str, settings: VaultSettings, http: HttpClient) -> KeyProvider:
    if named == "file":
        if settings.kek_file is None:
            raise KeyProviderError("the key provider `file` needs KEK_FILE")
        return FileKeyProvider.from_file(settings.kek_file)
    if named.startswith(transit.SCHEME):
        if settings.key_token_file is None:
            raise KeyProviderError("the key provider `vault:` needs KEY_TOKEN_FILE")
        if settings.key_ca_file is not None:
            http = HttpClient(ca_file=settings.key_ca_file)
        address = named.removeprefix(transit.SCHEME)
        return transit.TransitKeyProvider(http, address, _token(settings.key_token_file))
    if named.startswith("awskms:"):
        try:
            from direct311.runtime.vault import awskms
        except ModuleNotFoundError:
            raise KeyProviderError(
                "AWS KMS needs the extra: pip install 'direct311-runtime[aws]'"
            ) from None
        return awskms.KmsKeyProvider(named.removeprefix(awskms.SCHEME))
    raise KeyProviderError("a key provider is file, vault:https://host/mount/key or awskms:key")


def _token(path: Path) -> Callable[[], str]:
    def read() -> str:
        # Read at each call, because whatever renews the token writes a new one into the file.
        try:
            return path.read_text().strip()
        except OSError:
            raise KeyServiceDeniedError(f"the token file {path.name} cannot be read") from None

    return read
