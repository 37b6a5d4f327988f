"""Builds the staff API."""

from fastapi import APIRouter

from direct311.intake.api_types import CallerOf
from direct311.intake.catalogue.domain.types import Catalogue
from direct311.intake.indexes.ports import Protections
from direct311.intake.lifecycle.wiring import Lifecycle
from direct311.intake.sealing import Sealing
from direct311.intake.work.adapters import MongoWorkList
from direct311.intake.work.api.requests import work_router
from direct311.intake.work.handlers.edit import EditRequest
from direct311.intake.work.handlers.read import ReadWork
from direct311.runtime.process import Resources

INDEXES = MongoWorkList.INDEXES


def wire(
    resources: Resources,
    sealing: Sealing,
    catalogue: Catalogue,
    lifecycle: Lifecycle,
    protections: Protections,
    who: CallerOf,
) -> APIRouter:
    """The routes of `/v1/work`."""
    clock = resources.clock
    listed = MongoWorkList(lifecycle.aggregates.records, clock)
    edit = EditRequest(
        processor=lifecycle.processor,
        catalogue=catalogue,
        protections=protections,
        place_hashes=sealing.indexes.place,
        vault=sealing.vault,
        clock=clock,
        content_key=sealing.indexes.content_key,
    )
    return work_router(ReadWork(lifecycle.requests, listed, clock), edit, who)
