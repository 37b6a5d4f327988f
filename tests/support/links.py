"""Residents' signed links, and a door that knows them and staff by a word."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from direct311.runtime.access.identity import Authenticator, Issuer, UnauthenticatedError
from direct311.runtime.access.links import Links, LinkSigner
from direct311.runtime.clock import Clock, TimeOrderedIds
from direct311.runtime.messaging.signing import PublicKey
from tests.support.identity import services_of
from tests.support.runtime import NOW

LIFETIME = timedelta(days=90)


def signed_links(clock: Clock) -> tuple[Links, LinkSigner]:
    """A key of links that is valid for a year from `NOW`: its check, and its hand."""
    private = Ed25519PrivateKey.generate()
    key = PublicKey(
        "link-1", "intake", private.public_key(), NOW - timedelta(days=1), NOW + timedelta(days=365)
    )
    links = Links({key.keyid: key}, "direct311", clock)
    signer = LinkSigner(
        key.keyid,
        private,
        links=links,
        audience="direct311",
        lifetime=LIFETIME,
        clock=clock,
        ids=TimeOrderedIds(),
    )
    return links, signer


class FakeAuthenticator(Authenticator):
    """Takes `role:name` for a staff token, and links for what they are."""

    def __init__(self, links: Links) -> None:
        super().__init__(_NoIssuer(), "https://issuer.test", services_of("intake"), None, links)

    async def _decode(self, token: str) -> Mapping[str, Any]:
        role, colon, name = token.partition(":")
        if not colon:
            raise UnauthenticatedError("The token is not valid here.")
        said = {"sub": name, "roles": [role], "jti": f"token-of-{name}"}
        return {**said, "client_id": name} if role == "service" else said


class _NoIssuer(Issuer):
    def __init__(self) -> None:
        pass


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
