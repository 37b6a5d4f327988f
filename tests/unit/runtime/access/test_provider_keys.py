"""What a service knows of the identity provider's keys, and since when."""

import time
from typing import Any

import pytest

from direct311.runtime.access.identity import Issuer
from direct311.runtime.errors import TransientError
from direct311.runtime.peers import HttpError
from tests.support.disclosures import provider_key

pytestmark = pytest.mark.anyio

URL = "https://id.county.test"


class Http:
    """The provider behind HTTP. `away`: it does not answer."""

    def __init__(self) -> None:
        self.away = False
        self.published = [provider_key("idp-1")]
        self.asked = 0

    async def get_json(self, url: str) -> Any:
        if self.away:
            raise HttpError(None)
        if url.endswith("/openid-configuration"):
            return {"jwks_uri": f"{URL}/keys", "token_endpoint": f"{URL}/token"}
        self.asked += 1
        return {"keys": [each.as_dict(private=False) for each in self.published]}


def names(keys: Any) -> list[str]:
    return [str(each.kid) for each in keys.keys]


async def test_keys_that_are_known_are_asked_for_again_if_they_must_be_newer() -> None:
    http = Http()
    issuer = Issuer(URL, http)  # type: ignore[arg-type]
    assert names(await issuer.keys()) == ["idp-1"]
    http.published.append(provider_key("idp-2"))
    # Just read, so they are not read again for everybody who asks.
    assert names(await issuer.keys(newer_than=time.monotonic() - 10)) == ["idp-1"]
    assert names(await issuer.keys_after(time.monotonic())) == ["idp-1", "idp-2"]
    assert http.asked == 2


async def test_keys_from_before_are_not_given_for_newer_ones() -> None:
    http = Http()
    issuer = Issuer(URL, http)  # type: ignore[arg-type]
    await issuer.keys()
    http.away = True
    with pytest.raises(TransientError):
        await issuer.keys_after(time.monotonic())
    # Everybody else goes on with what is known.
    assert names(await issuer.keys()) == ["idp-1"]
