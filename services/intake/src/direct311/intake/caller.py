"""Who acts where intake acts by itself."""

from direct311.runtime.access import Caller

SELF = Caller("svc:intake", roles=("service",), authentication="service")
