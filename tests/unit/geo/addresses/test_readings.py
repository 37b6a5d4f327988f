"""One house is known however its address is written, and seldom taken for another one.

Recall is counted by kind of variant, on made-up addresses and on 200 of the county's own, with the
streets that a gazetteer gives and without any; the price is the share of all real addresses that
would be taken for one of 200 protected ones.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from direct311.geo.addresses.adapters import data_files
from direct311.geo.addresses.adapters.gazetteer import read_csv
from direct311.geo.addresses.domain.gazetteer import KnownAddress
from direct311.geo.addresses.domain.lines import AddressReader
from direct311.geo.addresses.domain.readings import MOST
from direct311.geo.addresses.domain.streets import distance
from direct311.geo.boundaries.adapters.shapes import ShapeBoundaries
from direct311.geo.places.handlers.resolve import Resolver
from direct311.intake.indexes.adapters.keyed import cell, cells_within
from direct311.intake.indexes.domain.reach import POINT_REACH
from direct311.schemas.events import Place
from tests.support.address_variants import KINDS, MADE_UP, Address, address_of, variants
from tests.support.geo import resolver_of
from tests.unit.geo.conftest import Rows

FILES = {
    "addresses/miami_dade_address_gazetteer_from_311.csv": "street_address",
    "addresses/miami_dade_sr_addresses_2016.csv": "full_address",
}
SEED = 311
PROTECTED = 200
LEAST = 0.99
DEAREST = 0.005
TWICE = "street misspelled twice"
"""What needs to know the street: without it two slips are another street."""


def readings(resolver: Resolver, text: str, zip_code: str | None = None) -> frozenset[str]:
    return frozenset(resolver.read(Place(address=text, zip_code=zip_code)).readings)


def _nowhere() -> ShapeBoundaries:
    return ShapeBoundaries([], "Unincorporated Miami-Dade")


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[str], None]]:
    """Says figures in the output of the run."""
    said: list[str] = []
    yield said.append
    with capsys.disabled():
        print("\n" + "\n".join(said))  # noqa: T201


@pytest.fixture(scope="module")
def bare() -> Resolver:
    """Knows the packaged data alone."""
    return resolver_of(_nowhere)


@pytest.fixture(scope="module")
def known(data: Path, reader: AddressReader) -> list[KnownAddress]:
    return [each for name in FILES for each in read_csv(data / name, reader)]


@pytest.fixture(scope="module")
def knowing(known: list[KnownAddress]) -> Resolver:
    """Knows the streets of the county's published addresses too."""
    return resolver_of(_nowhere, known)


@pytest.fixture(scope="module")
def houses(rows: Rows, reader: AddressReader) -> Mapping[str, Address]:
    """The county's real addresses with a house number, each once, by their normalised line."""
    found: dict[str, Address] = {}
    for name, column in FILES.items():
        for row in rows(name):
            read = reader.normalise(row[column])
            if read.kind == "address":
                one = address_of(read.canonical, row.get("zip_code") or "")
                found.setdefault(read.canonical, one or Address(read.canonical, "", "", *[""] * 5))
    return found


def recall(
    resolver: Resolver, addresses: Iterable[Address]
) -> tuple[dict[str, tuple[int, int]], dict[str, list[str]]]:
    """By kind: variants that are known for their address, and all; and those that are not."""
    hits: dict[str, list[bool]] = defaultdict(list)
    missed: dict[str, list[str]] = defaultdict(list)
    rng = Random(SEED)
    for one in addresses:
        entry = readings(resolver, one.line, one.zip_code)
        for kind in KINDS:
            for text in variants(one, kind, rng):
                hit = not entry.isdisjoint(readings(resolver, text))
                hits[kind].append(hit)
                if not hit:
                    missed[kind].append(f"{one.line} | {text}")
    return {kind: (sum(all_), len(all_)) for kind, all_ in hits.items()}, missed


def told(title: str, found: Mapping[str, tuple[int, int]]) -> str:
    right, all_ = (sum(each[i] for each in found.values()) for i in (0, 1))
    lines = [f"variants known, {title}: {right} of {all_} ({right / all_:.2%})"]
    lines += [f"  {kind:36} {hit:6} of {n:6}  {hit / n:7.2%}" for kind, (hit, n) in found.items()]
    return "\n".join(lines)


def must_reach(
    found: Mapping[str, tuple[int, int]],
    missed: Mapping[str, Sequence[str]],
    other: Mapping[str, float],
) -> None:
    poor = {
        kind: missed[kind][:5]
        for kind, (hit, n) in found.items()
        if hit / n < other.get(kind, LEAST)
    }
    assert poor == {}


def test_made_up_addresses_are_known_in_every_kind_of_writing(
    bare: Resolver, tell: Callable[[str], None]
) -> None:
    found, missed = recall(bare, MADE_UP)
    tell(told("made-up addresses, streets not known", found))
    must_reach(found, missed, {TWICE: 0.0})


@pytest.mark.parametrize("streets", ["known", "unknown"])
def test_real_addresses_are_known_in_every_kind_of_writing(
    streets: str,
    bare: Resolver,
    knowing: Resolver,
    houses: Mapping[str, Address],
    tell: Callable[[str], None],
) -> None:
    lines = [line for line in sorted(houses) if houses[line].number]
    sample = [houses[line] for line in Random(SEED).sample(lines, PROTECTED)]
    named = [houses[line] for line in lines if houses[line].digits is None]
    sample += Random(SEED).sample(named, PROTECTED)
    found, missed = recall(knowing if streets == "known" else bare, sample)
    tell(told(f"{len(sample)} real addresses, streets {streets}", found))
    must_reach(found, missed, {TWICE: 0.95 if streets == "known" else 0.0})


def test_few_real_addresses_are_taken_for_one_of_200_protected_ones(
    knowing: Resolver,
    houses: Mapping[str, Address],
    known: list[KnownAddress],
    tell: Callable[[str], None],
) -> None:
    """The protected ones do not count, nor does another spelling of one of them, such as the two
    names of a street: the same house number within 60 m. `DEAREST` holds for both."""
    by_line = {line: readings(knowing, line, houses[line].zip_code) for line in houses}
    at = {each.canonical: (each.latitude, each.longitude) for each in known}
    worst = 0.0
    for seed in range(SEED, SEED + 5):
        protected = set(Random(seed).sample(sorted(houses), PROTECTED))
        whose: dict[str, set[str]] = defaultdict(set)
        for line in protected:
            for reading in by_line[line]:
                whose[reading].add(line)
        taken = {
            line: {other for each in by_line[line] for other in whose.get(each, ())}
            for line in houses.keys() - protected
        }
        taken = {line: others for line, others in taken.items() if others}
        same = {
            line
            for line, others in taken.items()
            if any(_is_same_house(line, other, at) for other in others)
        }
        share = len(taken) / len(houses)
        worst = max(worst, share)
        tell(
            f"taken by mistake, seed {seed}: {len(taken) - len(same)}, and {len(same)} other"
            f" spellings of the same house, of {len(houses)} addresses ({share:.3%} in all)"
        )
    assert worst <= DEAREST


def test_few_real_addresses_lie_in_reach_of_200_protected_points(
    knowing: Resolver,
    houses: Mapping[str, Address],
    known: list[KnownAddress],
    tell: Callable[[str], None],
) -> None:
    """Each entry with its words and its point, each address with a pin on it: `DEAREST` holds for
    all that is taken for either, other spellings of the same house included."""
    at = {each.canonical: (each.latitude, each.longitude) for each in known}
    lines = sorted(houses.keys() & at.keys())
    by_line = {line: readings(knowing, line, houses[line].zip_code) for line in lines}
    worst = 0.0
    for seed in range(SEED, SEED + 5):
        protected = set(Random(seed).sample(lines, PROTECTED))
        words = {each for line in protected for each in by_line[line]}
        cells = {each for line in protected for each in cells_within(*at[line], POINT_REACH)}
        others = [line for line in lines if line not in protected]
        by_words = sum(not words.isdisjoint(by_line[line]) for line in others)
        by_point = sum(cell(*at[line]) in cells for line in others)
        taken = sum(
            cell(*at[line]) in cells or not words.isdisjoint(by_line[line]) for line in others
        )
        worst = max(worst, taken / len(lines))
        tell(
            f"taken by mistake, seed {seed}, of {len(lines)} addresses with a pin: {by_point} by"
            f" their point, {by_words} by their words, {taken / len(lines):.3%} in all"
        )
    assert worst <= DEAREST


def _is_same_house(line: str, other: str, at: Mapping[str, tuple[float, float]]) -> bool:
    if line not in at or other not in at or line.split()[0] != other.split()[0]:
        return False
    (north, east), (its_north, its_east) = at[line], at[other]
    return abs(north - its_north) < 0.00054 and abs(east - its_east) < 0.0006


def test_readings_are_few_and_cheap(
    knowing: Resolver, houses: Mapping[str, Address], tell: Callable[[str], None]
) -> None:
    lines = Random(SEED).sample(sorted(houses), 2000)
    started = time.process_time()
    counts = [len(readings(knowing, line)) for line in lines]
    micros = (time.process_time() - started) / len(lines) * 1e6
    tell(
        f"readings: {sum(counts) / len(counts):.1f} of an address, at most {max(counts)};"
        f" {micros:.0f} µs to read one"
    )
    assert max(counts) <= MOST
    assert micros < 5_000


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("8942 SW 142 AVE", "8944 SW 142 AVE"),
        ("8942 SW 142 AVE", "8942 SW 143 AVE"),
        ("8942 SW 142 AVE", "SW 142 AVE & SW 89 ST"),
        ("1216 SAN MIGUEL AVE", "1216 SAN MARCO AVE"),
        ("1216 SAN MIGUEL AVE", "1218 SAN MIGUEL AVE"),
        ("100 OCEAN DR", "100 COLLINS AVE"),
        ("8942 142 AVE MIAMI FL 33186", "142 MIAMI AVE"),
    ],
)
def test_other_houses_share_no_reading(one: str, other: str, bare: Resolver) -> None:
    assert readings(bare, one).isdisjoint(readings(bare, other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("8900 N KENDALL DR", "8900 SW 88 ST"),
        ("1600 SW 8 ST", "1600 Calle Ocho"),
        ("1600 SW 8 ST", "1600 Tamiami Trail"),
        ("4500 Bird Road", "4500 SW 40th St"),
        ("17000 S Dixie Hwy", "17000 US 1"),
        ("300 M L K Blvd", "300 Martin Luther King Jr Boulevard"),
    ],
)
def test_a_street_with_two_names_is_one(one: str, other: str, bare: Resolver) -> None:
    assert not readings(bare, one).isdisjoint(readings(bare, other))


def test_of_streets_with_a_like_name_those_of_the_zip_code_and_city_come_first() -> None:
    at = [
        KnownAddress("100 MARINA AVE", 25.7, -80.2, "33101", "Miami"),
        KnownAddress("200 MARIKA AVE", 25.8, -80.3, "33134", "Coral Gables"),
    ]
    resolver = resolver_of(_nowhere, at)
    line = "150 MARIPA AVE"
    for place, expected in (
        (Place(address=line, zip_code="33134"), "150 MARIKA AVE"),
        (Place(address=line, zip_code="33101"), "150 MARINA AVE"),
        (Place(address=f"{line}, CORAL GABLES"), "150 MARIKA AVE"),
    ):
        read = resolver.read(place)
        assert read.address.canonical == expected
        assert {"150 MARINA", "150 MARIKA"} <= set(read.readings)


STANDALONE = resolver_of(_nowhere)


@given(st.text(max_size=400))
def test_no_text_makes_it_raise(text: str) -> None:
    assert len(STANDALONE.read(Place(address=text, address_id=text)).readings) <= MOST


@given(st.text("ABC", max_size=8), st.text("ABC", max_size=8))
def test_slips_are_counted_as_a_distance(one: str, other: str) -> None:
    assert distance(one, other) == distance(other, one)
    assert (distance(one, other) == 0) == (one == other)
    assert distance(one, other) <= max(len(one), len(other))


def test_the_packaged_words_do_not_contradict_each_other() -> None:
    spoken = data_files.readings(data_files.address_reader()).spoken
    numbers = [word for words in spoken.numbers.values() for word in words]
    assert len(numbers) == len(set(numbers))
    assert not set(numbers) & {*spoken.streets, *spoken.directions, *spoken.articles}
