"""Residents' signed links, and a fake sign-in that accepts them and staff by name."""

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
    """A link key that is valid for a year from `NOW`: the checker and the maker of links."""
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
    """Accepts `role:name` as a staff token, and real links."""

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
