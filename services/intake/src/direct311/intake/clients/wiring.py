"""Builds API clients, their quotas, and the counts of reads."""

from collections.abc import Sequence
from dataclasses import dataclass

from direct311.intake.clients.adapters.app_counts import MongoAppCounts
from direct311.intake.clients.adapters.first_clients import read_clients
from direct311.intake.clients.adapters.mongo import (
    MongoClients,
    MongoCounts,
    MongoQuotas,
    MongoSalts,
)
from direct311.intake.clients.api.failed_keys import FailedKeys
from direct311.intake.clients.domain.clients import Client, served_by
from direct311.intake.clients.handlers.admission import Admission
from direct311.intake.clients.handlers.clients import ManageClients
from direct311.intake.clients.handlers.quotas import Quotas
from direct311.intake.clients.handlers.reads import ReadLimits, SharedNames
from direct311.intake.sealing import Sealing
from direct311.intake.settings import IntakeSettings
from direct311.runtime.process import Resources


@dataclass(frozen=True, slots=True)
class Clients:
    """API clients as this process knows them, and the limits on calls."""

    resources: Resources
    known_before: Sequence[Client]
    clients: MongoClients
    quota_store: MongoQuotas
    quotas: Quotas
    admission: Admission
    counts: MongoCounts
    reads: ReadLimits
    names: SharedNames
    failed_keys: FailedKeys
    app_counts: MongoAppCounts
    manage: ManageClients

    async def take_first(self) -> None:
        """Registers the clients that a county begins with, once."""
        for client in self.known_before:
            if await self.clients.add(client):
                # The log has an event for this, as for each later change.
                kind = f"API client {client.client_id}"
                self.resources.in_force.expect(kind, client.keys[0].key_id)
        await self.clients.refresh()
        await self.names.refresh()

    async def settle(self) -> None:
        """Reads what other copies changed, and writes what was counted here."""
        await self.clients.refresh()
        await self.names.refresh()
        await self.quotas.settle()
        await self.reads.settle()
        await self.clients.settle()

    async def forget_counts(self) -> None:
        """Removes old counts."""
        now = self.resources.clock.now()
        await self.quota_store.forget(now)
        await self.counts.forget(now)


def wire(settings: IntakeSettings, resources: Resources, sealing: Sealing) -> Clients:
    """:raises DataFileError: the file of first clients is malformed."""
    clock, database, key = resources.clock, resources.database, sealing.indexes.content_key
    clients = MongoClients(database["clients"], database["client_uses"], clock)
    quota_store = MongoQuotas(database["quotas"])
    quotas = Quotas(quota_store, clock)
    admission = Admission(
        clients,
        quotas,
        clock,
        environment=settings.environment,
        own_origin=settings.public_url.rstrip("/"),
    )
    counts = MongoCounts(database["reads"])
    reads = ReadLimits(counts, clock, worth=max(1, settings.reads_per_minute // 10))
    salts = MongoSalts(database["salts"])
    names = SharedNames(resources.sign_ins.sources, clock, key, salts.of)
    return Clients(
        resources=resources,
        known_before=read_clients(
            settings.clients_file, served_by(settings.environment), clock.now()
        ),
        clients=clients,
        quota_store=quota_store,
        quotas=quotas,
        admission=admission,
        counts=counts,
        reads=reads,
        names=names,
        failed_keys=FailedKeys(reads, names, settings.failed_keys_per_minute),
        app_counts=MongoAppCounts(database["app_counts"], clock),
        manage=ManageClients(clients, sealing.vault, clock, resources.ids),
    )
