"""The service, put together from its capabilities."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI

from direct311.geo.addresses import wiring as addresses
from direct311.geo.boundaries import wiring as boundaries
from direct311.geo.boundary_changes import wiring as boundary_changes
from direct311.geo.places import wiring as places
from direct311.geo.settings import GeoSettings
from direct311.runtime.http.api import Application, caller_of, install
from direct311.runtime.process import Resources, running

SERVICE: Final = "geo"


def create_app(settings: GeoSettings, resources: Resources) -> FastAPI:
    """The service, not yet started: nothing is connected before the application's lifespan."""
    caller = caller_of(resources.authenticator)
    reading = addresses.wire(settings)
    sets = boundaries.wire(
        settings,
        resources,
        caller,
        canonical=reading.gazette.canonical,
        unincorporated=reading.gazette.unincorporated,
    )
    located = places.wire(settings, resources, caller, reading, sets.current)
    changes = boundary_changes.wire(settings, resources, caller, sets, located)
    resources.readiness.add("boundaries", sets.loaded)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with running(
            resources,
            relays=[located.relay],
            loops=[*located.loops, *sets.loops, *changes.loops],
            prepare=[located.prepare, sets.prepare],
        ):
            yield

    app = Application(
        title="Direct311 geo",
        summary="Boundaries, and the place of a request",
        version=version("direct311-geo"),
        lifespan=lifespan,
    )
    install(app, resources.readiness, resources.metrics, resources.ledger)
    app.include_router(sets.router)
    app.include_router(located.router)
    app.include_router(changes.router)
    app.include_router(located.counts_router)
    return app
