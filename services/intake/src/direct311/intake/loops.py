"""Jobs that one copy of the service does at a time."""

from datetime import timedelta

from direct311.runtime.loops import Loop, Step
from direct311.runtime.process import Resources


def leased(resources: Resources, name: str, every: timedelta, step: Step) -> Loop:
    """A loop under a lease with its name, which lasts at least five seconds."""
    lease = resources.lease(name, max(every, timedelta(seconds=5)))
    return Loop(name, every, step, lease, resources.clock)
