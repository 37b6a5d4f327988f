"""The caller when intake acts on its own."""

from direct311.runtime.access.rules import Caller

SELF = Caller("svc:intake", roles=("service",), authentication="service")
