"""The steps of a case, as its file keeps them for its timeline."""

from collections.abc import Mapping

from direct311.schemas import Instant, Model
from direct311.schemas.model import nothing


class StepNote(Model):
    """One step: what was done, by whom, when, and the state that it led to. Codes and counts, never
    text: it is what the step's own event says."""

    step: str
    state: str
    actor: str
    at: Instant
    codes: tuple[str, ...] = ()
    counts: Mapping[str, int] = nothing()
