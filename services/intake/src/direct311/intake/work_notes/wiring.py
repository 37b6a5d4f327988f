"""Builds what keeps the departments' notes."""

from direct311.intake.lifecycle.wiring import Lifecycle
from direct311.intake.sealing import Sealing
from direct311.intake.work_notes.handlers import SealWorkNote
from direct311.runtime.process import Resources


def wire(resources: Resources, sealing: Sealing, lifecycle: Lifecycle) -> SealWorkNote:
    return SealWorkNote(
        processor=lifecycle.processor,
        vault=sealing.vault,
        ids=resources.ids,
        content_key=sealing.indexes.content_key,
    )
