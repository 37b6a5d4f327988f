"""Person indexes under other keys: opened only where they must be, and written down first."""

import json
from collections.abc import Mapping

import pytest

from direct311.intake.indexes.adapters.keyed import KeyedIndexes
from direct311.intake.lifecycle.handlers import Follow
from direct311.intake.protection.handlers.address_index import AddressIndex
from direct311.intake.protection.handlers.reindex import (
    PAUSE,
    SIZE_OF_HOMES,
    UNREAD,
    ReadHomes,
    Reindex,
)
from direct311.intake.request import (
    READINGS,
    SENDERS,
    SUPERSEDED,
    UPDATE_CONTACTS,
    Located,
    ServiceRequest,
)
from direct311.runtime.access.ledger import AuditUnavailableError
from direct311.runtime.errors import TransientError
from direct311.runtime.messaging.records import Write
from direct311.runtime.storage.jobs import Batch
from direct311.schemas import events as ev
from tests.support.intake import IntakeUnderTest, index_keys
from tests.support.intake_stores import InMemoryRequests
from tests.support.memory import InMemoryRecords
from tests.support.runtime import NOW, SetClock

pytestmark = pytest.mark.anyio
KEYS = {version: index_keys() for version in (1, 2, 3)}
PERSON = {"first_name": "Zora", "last_name": "Neale", "phone": "305 555 0142"}


def indexes(version: int, *older: int) -> KeyedIndexes:
    return KeyedIndexes(version, KEYS[version], SetClock(), {each: KEYS[each] for each in older})


class ReindexingIntake(IntakeUnderTest):
    def __init__(self) -> None:
        super().__init__()
        self.requests = InMemoryRequests(self.records)
        self.newest = 1
        self.registry.version = 5

    async def indexed(
        self, record_id: str, under: KeyedIndexes, plain: Mapping[str, str] = PERSON
    ) -> None:
        """A request whose indexes were made by these keys."""
        located = Located(outcome="resolved", latitude=25.77, longitude=-80.2, address="1 NW 1 ST")
        await self.request(
            record_id,
            plain,
            indexes={**under.of(plain), "place": under.place("1 NW 1 ST", 25.77, -80.2)},
            index_versions=under.versions,
            located=located,
            place_checked=False,
            listed=False,
        )

    async def put(self, record_id: str, **fields: object) -> None:
        """What else a request has come to be."""
        await self.records.put(self.state(record_id).model_copy(update=fields), NOW)

    def reindex(self, under: KeyedIndexes) -> Reindex:
        async def newest() -> int:
            return self.newest

        address_index = AddressIndex(self.addresses, under)
        compare = Follow(self.registry, under.place, SetClock()).compare
        return Reindex(
            self.requests,
            self.processor,
            self.vault,
            under,
            address_index,
            self.addresses,
            compare,
            newest,
        )

    async def batch(self, under: KeyedIndexes, after: str = "") -> Batch:
        return await self.reindex(under).batch(after, "T-1")

    async def unread(self, record_id: str, under: KeyedIndexes) -> None:
        """A request with an address that geo did not answer for, as it is when its place was
        checked."""
        await self.indexed(record_id, under, {**PERSON, "reporter_address": "9 Elm Street"})
        typed = {
            **self.state(record_id).indexes,
            "home": under.place("9 Elm Street", None, None),
        }
        await self.put(
            record_id,
            indexes=typed,
            index_versions=(),
            home_unread_at=NOW,
            protected=True,
            place_checked=True,
        )


async def test_a_new_version_is_added_by_opening_under_one_event_for_all() -> None:
    intake, both = ReindexingIntake(), indexes(2, 1)
    for number in range(3):
        await intake.indexed(f"r{number}", indexes(1))
    await intake.indexed("r9", both)
    assert await intake.batch(both) == Batch("r2", 3)
    for number in range(3):
        state = intake.state(f"r{number}")
        assert state.indexes == {
            **both.of(PERSON),
            "place": both.place("1 NW 1 ST", 25.77, -80.2),
        }
        assert (state.index_versions, state.version) == ((2, 1), 2)
    (event,) = intake.access_log.events()
    assert (event.action, event.agent.id, event.why.reference) == ("key_use", "svc:intake", "T-1")
    assert event.what.record_ids == ("r0", "r1", "r2")
    assert set(event.what.fields) == {*PERSON, "email", "reporter_address"}
    # Every key that was fetched was fetched under that event.
    assert {fetch.record_id for fetch in intake.keys.fetches} == {"r0", "r1", "r2"}
    assert len({fetch.event_id for fetch in intake.keys.fetches}) == 1
    assert await intake.batch(both) == Batch()


async def test_a_reporters_address_is_indexed_again_as_geo_reads_it() -> None:
    intake, both = ReindexingIntake(), indexes(2, 1)
    home = {"reporter_address": "9 Elm Street"}
    await intake.indexed("r0", indexes(1), {**PERSON, **home})
    assert await intake.batch(both) == Batch("r0", 1)
    assert intake.state("r0").indexes["home"] == both.place("9 ELM ST", None, None)


@pytest.mark.policy("P8")
async def test_while_geo_is_away_a_protected_home_stays_known_as_geo_read_it() -> None:
    intake, before, both = ReindexingIntake(), indexes(1), indexes(2, 1)
    home = before.place("9 ELM ST", None, None)
    intake.registry.hashes = set(home)
    await intake.indexed("r0", before, {**PERSON, "reporter_address": "9 Elm Street"})
    await intake.indexed("r1", before)
    kept = {**intake.state("r0").indexes, "home": home}
    await intake.put("r0", indexes=kept, protected=True, place_checked=True)
    intake.addresses.away = True
    batch = await intake.batch(both)
    # Others are not kept back.
    assert (batch.last, batch.done, batch.failed) == ("r1", 1, 1)
    assert batch.reason == UNREAD
    state = intake.state("r0")
    assert (state.indexes, state.index_versions, state.protected) == (kept, (1,), True)
    # It is taken again once geo answers, and no word of it is said, since nothing has changed.
    intake.addresses.away = False
    assert await intake.batch(both) == Batch("r0", 1)
    state = intake.state("r0")
    assert state.indexes["home"] == both.place("9 ELM ST", None, None)
    assert (state.index_versions, state.protected, intake.said("r0")) == ((2, 1), True, [])


@pytest.mark.policy("P8")
async def test_a_home_that_was_indexed_without_geo_is_read_and_held_against_the_registry() -> None:
    intake, keys = ReindexingIntake(), indexes(1)
    intake.registry.hashes = set(keys.place("9 ELM ST", None, None))
    await intake.indexed("r0", keys, {**PERSON, "reporter_address": "9 Elm Street"})
    typed = {**intake.state("r0").indexes, "home": keys.place("9 Elm Street", None, None)}
    await intake.put("r0", indexes=typed, index_versions=(), place_checked=True, listed=True)
    assert await intake.batch(keys) == Batch("r0", 1)
    state = intake.state("r0")
    assert (state.protected, state.listed, state.index_versions) == (True, False, (1,))
    assert state.indexes == typed | {"home": keys.place("9 ELM ST", None, None)}
    (said,) = intake.said("r0")
    assert (said.changed, said.protected) == (("place_checked",), True)
    (event,) = intake.access_log.events()
    assert event.what.fields == ("reporter_address",)
    assert await intake.batch(keys) == Batch()


@pytest.mark.policy("P8")
@pytest.mark.parametrize("protected", [True, False])
async def test_homes_that_geo_did_not_read_are_read_once_it_answers(protected: bool) -> None:
    intake, keys = ReindexingIntake(), indexes(1)
    if protected:
        intake.registry.hashes = set(keys.place("9 ELM ST", None, None))
    for number in range(SIZE_OF_HOMES + 1):
        await intake.unread(f"r{number:02}", keys)
    await intake.indexed("r99", keys)
    work = ReadHomes(intake.reindex(keys), intake.requests, intake.addresses, SetClock())
    intake.addresses.away = True
    with pytest.raises(TransientError):
        await work.step()
    # Nothing is opened in vain.
    assert intake.access_log.events() == []
    assert intake.state("r00").protected
    intake.addresses.away = False
    await work.step()
    await work.step()
    for number in range(SIZE_OF_HOMES + 1):
        state = intake.state(f"r{number:02}")
        assert (state.home_unread_at, state.index_versions) == (None, (1,))
        assert state.indexes["home"] == keys.place("9 ELM ST", None, None)
        assert (state.protected, state.listed) == (protected, not protected)
        assert [each.protected for each in intake.said(f"r{number:02}")] == (
            [] if protected else [False]
        )
    assert intake.state("r99").version == 1
    first, second = intake.access_log.events()
    assert len(first.what.record_ids) == SIZE_OF_HOMES
    assert second.what.record_ids == (f"r{SIZE_OF_HOMES:02}",)
    # The county's form of references is of what somebody orders.
    assert (first.action, first.why.purpose, first.why.reference) == ("key_use", "respond", None)
    assert first.what.fields == ("reporter_address",)
    await work.step()
    assert len(intake.access_log.events()) == 2


@pytest.mark.policy("P8")
async def test_a_home_that_does_not_open_stays_hidden_and_keeps_nobody_back() -> None:
    intake, keys, clock = ReindexingIntake(), indexes(1), SetClock()
    for number in range(SIZE_OF_HOMES + 1):
        await intake.unread(f"r{number:02}", keys)
    for number in range(SIZE_OF_HOMES):
        await intake.keys.destroy(f"r{number:02}")
    work = ReadHomes(intake.reindex(keys), intake.requests, intake.addresses, clock)
    for _ in range(3):
        await work.step()
    assert intake.state("r00").protected
    assert not intake.state(f"r{SIZE_OF_HOMES:02}").protected
    told = len(intake.access_log.events())
    for _ in range(3):
        await work.step()
    assert len(intake.access_log.events()) == told
    clock.at += PAUSE
    await work.step()
    assert len(intake.access_log.events()) > told


async def test_what_was_read_by_older_rules_is_read_again_under_the_same_keys() -> None:
    intake, keys = ReindexingIntake(), indexes(1)
    sender = {UPDATE_CONTACTS: json.dumps({"u-1": {"email": "sender@example.org"}})}
    await intake.indexed("r0", keys, PERSON | sender)
    await intake.put("r0", indexes={"name": ("1:older",), SENDERS: ("1:older",)}, index_readings=1)
    assert await intake.batch(keys) == Batch("r0", 1)
    state = intake.state("r0")
    assert state.indexes.items() >= keys.of(PERSON).items()
    assert set(state.indexes[SENDERS]) == set(keys.of({"email": "sender@example.org"})["email"])
    assert state.index_readings == READINGS
    (event,) = intake.access_log.events()
    assert event.action == "key_use"
    assert set(event.what.fields) == {*PERSON, "email", "reporter_address", UPDATE_CONTACTS}
    assert await intake.batch(keys) == Batch()


async def test_the_words_of_a_place_are_read_by_geo_again_and_held_against_the_registry() -> None:
    intake, keys = ReindexingIntake(), indexes(1)
    await intake.indexed("r0", keys, {})
    typed = ev.Place(address="9 Elm Street")
    await intake.put("r0", place=typed, index_readings=1, place_checked=True, registry_version=5)
    intake.registry.hashes = set(keys.place("9 ELM ST", None, None))
    intake.addresses.away = True
    assert await intake.batch(keys) == Batch("r0", 0, 1, UNREAD)
    assert not intake.state("r0").protected
    intake.addresses.away = False
    assert await intake.batch(keys) == Batch("r0", 1)
    state = intake.state("r0")
    assert state.read is not None
    assert (state.read.readings, state.protected) == (("9 ELM ST",), True)
    assert set(state.indexes["place"]) >= intake.registry.hashes
    assert intake.access_log.events() == []
    assert await intake.batch(keys) == Batch()


async def test_nothing_is_opened_to_be_rid_of_a_version() -> None:
    intake, alone = ReindexingIntake(), indexes(2)
    await intake.indexed("r0", indexes(2, 1))
    assert await intake.batch(alone) == Batch("r0", 1)
    assert intake.state("r0").indexes["phone"] == alone.of({"phone": PERSON["phone"]})["phone"]
    assert intake.state("r0").indexes["place"] == alone.place("1 NW 1 ST", 25.77, -80.2)
    assert intake.access_log.events() == []


async def test_an_anonymous_request_is_not_opened() -> None:
    intake, both = ReindexingIntake(), indexes(2, 1)
    await intake.indexed("r0", indexes(1), {"description": "A dog."})
    assert await intake.batch(both) == Batch("r0", 1)
    assert intake.state("r0").indexes.keys() == {"place"}
    assert intake.access_log.events() == []


async def test_nothing_is_opened_where_it_cannot_be_written_down() -> None:
    intake = ReindexingIntake()
    await intake.indexed("r0", indexes(1))
    intake.access_log.down = True
    with pytest.raises(AuditUnavailableError):
        await intake.batch(indexes(2, 1))
    assert intake.keys.fetches == []
    assert intake.state("r0").index_versions == (1,)


async def test_one_whose_key_is_gone_keeps_none_of_its_neighbours_back() -> None:
    intake, both = ReindexingIntake(), indexes(2, 1)
    for number in range(3):
        await intake.indexed(f"r{number}", indexes(1))
    await intake.keys.destroy("r1")
    batch = await intake.batch(both)
    assert (batch.last, batch.done, batch.failed) == ("r2", 2, 1)
    assert batch.reason
    assert [intake.state(f"r{n}").index_versions for n in range(3)] == [(2, 1), (1,), (2, 1)]
    first, second = intake.access_log.events()
    assert (first.outcome, second.outcome, second.what.record_ids) == ("success", "error", ("r1",))


async def test_what_is_destroyed_meanwhile_stays_so_and_what_is_sealed_anew_is_taken_again() -> (
    None
):
    intake, both = ReindexingIntake(), indexes(2, 1)
    await intake.indexed("r0", indexes(1))
    await intake.indexed("r1", indexes(1))
    old = dict(intake.records.documents)
    for name, update in (("r0", {"lifecycle": "destroying"}), ("r1", {"sealed": {}})):
        state = old[name].state.model_copy(update={"version": 2, **update})
        await intake.records.commit([Write(1, state, (), NOW)])
    meanwhile: InMemoryRecords[ServiceRequest] = InMemoryRecords()
    meanwhile.documents = old
    intake.requests = InMemoryRequests(meanwhile)
    assert (await intake.batch(both)).done == 1
    assert intake.state("r0").lifecycle == "destroying"
    assert intake.state("r1").index_versions == (1,)


async def test_a_copy_with_older_keys_undoes_nothing() -> None:
    intake = ReindexingIntake()
    await intake.indexed("r0", indexes(2, 1))
    intake.newest = 2
    with pytest.raises(TransientError):
        await intake.batch(indexes(1))
    assert intake.state("r0").index_versions == (2, 1)


async def test_what_was_corrected_while_protected_stays_known_under_its_own_version() -> None:
    intake, both = ReindexingIntake(), indexes(2, 1)
    await intake.indexed("r0", indexes(1))
    state = intake.state("r0")
    earlier = {SUPERSEDED: ("1:corrected",)}
    changed = state.model_copy(update={"version": 2, "indexes": {**state.indexes, **earlier}})
    await intake.records.commit([Write(1, changed, (), NOW)])
    assert await intake.batch(both) == Batch("r0", 1)
    assert intake.state("r0").indexes == {
        **both.of(PERSON),
        **earlier,
        "place": both.place("1 NW 1 ST", 25.77, -80.2),
    }
    assert await intake.batch(indexes(2)) == Batch("r0", 1)
    assert SUPERSEDED not in intake.state("r0").indexes


async def test_senders_of_comments_are_indexed_anew_and_nothing_else_is_opened_for_it() -> None:
    intake, both = ReindexingIntake(), indexes(2, 1)
    sender = {"email": "sender@example.org"}
    held = {UPDATE_CONTACTS: json.dumps({"u-1": sender, "u-2": {"account_id": "7"}})}
    await intake.indexed("r0", indexes(1), held)
    await intake.indexed("r1", both, PERSON | held)
    for name, under in (("r0", 1), ("r1", 1)):
        state = intake.state(name)
        old = {SENDERS: indexes(under).person("email", sender["email"])}
        changed = state.model_copy(
            update={"version": 2, "indexes": {**state.indexes, **old}, "index_versions": (1,)}
        )
        await intake.records.commit([Write(1, changed, (), NOW)])
    assert await intake.batch(both) == Batch("r1", 2)
    for name in ("r0", "r1"):
        state = intake.state(name)
        assert set(state.indexes[SENDERS]) == set(both.person("email", sender["email"]))
        assert state.index_versions == (2, 1)
    assert intake.state("r1").indexes["phone"] == both.of({"phone": PERSON["phone"]})["phone"]
    (event,) = intake.access_log.events()
    assert event.what.fields == (UPDATE_CONTACTS,)


async def test_senders_of_comments_lose_a_version_without_being_opened() -> None:
    intake, both, alone = ReindexingIntake(), indexes(2, 1), indexes(2)
    held = {UPDATE_CONTACTS: json.dumps({"u-1": {"email": "sender@example.org"}})}
    await intake.indexed("r0", both, PERSON | held)
    state = intake.state("r0")
    senders = {SENDERS: both.person("email", "sender@example.org")}
    changed = state.model_copy(update={"version": 2, "indexes": {**state.indexes, **senders}})
    await intake.records.commit([Write(1, changed, (), NOW)])
    assert await intake.batch(alone) == Batch("r0", 1)
    assert intake.state("r0").indexes[SENDERS] == alone.person("email", "sender@example.org")
    assert intake.access_log.events() == []
