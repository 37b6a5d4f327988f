"""What a store of the published checkpoint must keep to: run on the fake and on the real one."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from direct311.audit.log.ports.log import Head
from direct311.audit.log.ports.publication import Publication, Publications
from direct311.verifier.merkle import Frontier, leaf_hash
from direct311.verifier.tiles import Tile, grown_tiles, partial_tiles
from tests.unit.audit.events import START


def head_of(size: int, name: str = "") -> Head:
    growth = Frontier().append([leaf_hash(f"{name}{number}".encode()) for number in range(size)])
    tiles = grown_tiles(growth, {})
    edge: Mapping[Tile, bytes] = {tile: tiles[tile] for tile in partial_tiles(size)}
    return Head(3, growth.frontier, edge, START, {"pii.accessed:0": 7})


def publication(size: int, name: str = "") -> Publication:
    return Publication(head_of(size, name), f"note {size} {name}", START + timedelta(hours=1))


@pytest.mark.anyio
class PublicationsContract:
    """Gets `publications`, an empty store, from a fixture."""

    async def test_what_was_kept_is_there_as_it_was(self, publications: Publications) -> None:
        assert await publications.latest() is None
        assert await publications.keep(publication(0))
        assert await publications.keep(publication(300))
        assert await publications.latest() == publication(300)

    async def test_never_a_smaller_tree_after_a_larger_one(
        self, publications: Publications
    ) -> None:
        assert await publications.keep(publication(9))
        assert not await publications.keep(publication(8))
        assert await publications.latest() == publication(9)

    async def test_the_same_tree_under_other_signatures_but_no_other_of_its_size(
        self, publications: Publications
    ) -> None:
        assert await publications.keep(publication(9))
        assert await publications.keep(replace(publication(9), note="signed anew"))
        assert not await publications.keep(publication(9, "fork"))
        assert await publications.latest() == replace(publication(9), note="signed anew")

    async def test_of_many_at_once_the_largest_stays(self, publications: Publications) -> None:
        sizes = [5, 40, 1, 39, 12, 33, 2, 40]
        await asyncio.gather(*(publications.keep(publication(size)) for size in sizes))
        assert await publications.latest() == publication(40)
