"""Wiring."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI

from direct311.geo.addresses.adapters import data_files
from direct311.geo.addresses.adapters.gazetteer import InMemoryGazetteer, known_streets, read_csv
from direct311.geo.boundaries.adapters.mongo import MongoBoundarySets
from direct311.geo.boundaries.adapters.shapes import ShapeBoundaries
from direct311.geo.boundaries.handlers import Atlas
from direct311.geo.places.adapters import MongoLocations
from direct311.geo.places.api import router
from direct311.geo.places.consumers import TOPICS, handlers
from direct311.geo.places.domain import LocatedRequest
from direct311.geo.places.handlers.requests import LocateRequest
from direct311.geo.places.handlers.resolve import Resolver
from direct311.geo.settings import GeoSettings
from direct311.runtime.disposition import Destroyed, Destroyer
from direct311.runtime.http.api import Application, caller_of, install
from direct311.runtime.loops import Loop
from direct311.runtime.process import Resources, folding, running

SERVICE: Final = "geo"


def create_app(settings: GeoSettings, resources: Resources) -> FastAPI:
    """The service, not yet started: nothing is connected before the application's lifespan."""
    clock, database = resources.clock, resources.database
    gazette = data_files.gazette(settings.aliases_file)
    reader = data_files.address_reader(gazette, settings.streets_file)
    readings = data_files.readings(reader, settings.readings_file)
    grids = data_files.street_grids(settings.grid_file)
    known = list(read_csv(settings.gazetteer_file, reader)) if settings.gazetteer_file else []
    sets = MongoBoundarySets(database)
    atlas = Atlas(
        sets,
        lambda loaded: ShapeBoundaries(loaded, gazette.unincorporated),
        data_files.approximate_county if settings.approximate_county else tuple,
        clock,
    )
    resolver = Resolver(
        atlas.current,
        InMemoryGazetteer(known),
        grids,
        reader,
        gazette,
        readings,
        known_streets(known, grids.county.named, readings),
    )
    line = resources.outgoing(database["records"], LocatedRequest)
    folder = resources.folder(
        line,
        lambda record_id: LocatedRequest(record_id=record_id),
        handlers(LocateRequest(resolver, clock)),
    )
    resources.consumer(TOPICS, folding(folder))

    async def remove(state: LocatedRequest) -> Destroyed:
        # All that geo has of a record is the document that becomes the tombstone.
        return Destroyed(documents=1 if state.location else 0)

    destroyer = Destroyer(
        holder=SERVICE,
        folder=folder,
        destroying=line.records.destroying,
        remove=remove,
        keys=None,
        clock=clock,
        recoverable_for=settings.recoverable_for,
    )
    loops = [
        Loop("destroy", timedelta(seconds=1), destroyer.step, resources.lease("destroy"), clock),
        # Without a lease: each copy looks for itself.
        Loop("boundaries", settings.refresh_every, atlas.refresh, None, clock),
    ]

    async def prepare() -> None:
        await line.records.prepare(MongoLocations.INDEXES)
        await sets.prepare()
        await atlas.prepare()

    async def loaded() -> str | None:
        return None if atlas.loaded() else "no boundaries are loaded"

    resources.readiness.add("boundaries", loaded)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with running(resources, relays=[line.relay], loops=loops, prepare=[prepare]):
            yield

    app = Application(
        title="Direct311 geo",
        summary="Boundaries, and the place of a request",
        version=version("direct311-geo"),
        lifespan=lifespan,
    )
    install(app, resources.readiness, resources.metrics, resources.ledger)
    app.include_router(
        router(
            atlas,
            sets,
            MongoLocations(line.records.collection),
            resolver,
            caller_of(resources.authenticator),
            settings.max_import_bytes,
        )
    )
    return app
