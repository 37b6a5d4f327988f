"""Refusals that several capabilities answer with."""

from direct311.runtime.errors import RefusedError

NO_SUCH_REQUEST = RefusedError("not_found", "There is no such request.")
