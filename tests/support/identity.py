"""The services at the identity provider, as the deployment files have them."""

from deploy.local.topology import Topology
from direct311.runtime.access.services import Service, Services

_KNOWN = tuple(
    Service(
        each.name, each.client, each.audience, each.client, for_people=frozenset(each.for_people)
    )
    for each in Topology.read().services
)


def services_of(name: str) -> Services:
    """All services, as this one sees them."""
    return Services(name, _KNOWN)


def audience_of(name: str) -> str:
    """The audience of tokens for this service."""
    return services_of(name).own.audience
