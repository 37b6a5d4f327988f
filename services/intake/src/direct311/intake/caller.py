"""Who acts where intake acts by itself."""

from direct311.runtime.access.rules import Caller

SELF = Caller("svc:intake", roles=("service",), authentication="service")
