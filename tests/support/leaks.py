"""Made-up records for the leak check: people, what they wrote, and what is withheld of it.

Names are drawn from the census lists that the redaction rules use, so that different people share
first and last names as they do.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from direct311.redaction.leaks import WithheldValue

STREETS = ("Flagler Street", "Biscayne Boulevard", "Coral Way", "2nd Avenue", "Palm Drive")
_WHAT = ("a large pothole", "a broken street light", "an abandoned boat", "a loose dog", "trash")
_WHERE = ("in front of", "behind", "across from", "next to", "two houses from")
_SINCE = ("for three weeks", "since last Monday", "every night", "again", "since the storm")
_WISH = (
    "Please send somebody soon.",
    "It is dangerous for the children who walk to school.",
    "I have called many times and nobody came.",
    "Please call me before you come, because the gate is locked.",
    "Thank you for your work.",
)


@cache
def _names(what: str) -> Sequence[str]:
    """The most frequent first."""
    text = (files("direct311.redaction") / "data" / f"census_{what}.txt").read_text()
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return [word for line in lines for word in line.split() if len(word) > 2]


def _name(chance: random.Random, what: str) -> str:
    """A name, about as often as people have it: by Zipf's and Mandelbrot's law one in a hundred is
    called Smith, as in the census."""
    names, flat = _names(what), 12
    rank = flat * ((len(names) + flat) / flat) ** chance.random() - flat
    return names[min(int(rank), len(names) - 1)].title()


@dataclass(frozen=True, slots=True)
class Person:
    first: str
    last: str
    phone: str
    email: str
    address: str

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"


def person(chance: random.Random) -> Person:
    """Somebody who lives here."""
    first, last = (_name(chance, what) for what in ("given_names", "surnames"))
    area, exchange, line = (
        chance.choice((305, 786)),
        chance.randint(200, 999),
        chance.randint(0, 9999),
    )
    address = f"{chance.randint(100, 29_999)} {chance.choice(('NW', 'SW', 'NE', 'SE'))} "
    return Person(
        first,
        last,
        f"{area}-{exchange}-{line:04}",
        f"{first}.{last}{chance.randint(1, 99)}@example.org".lower(),
        address + chance.choice((*STREETS, f"{chance.randint(1, 220)} Street")),
    )


def complaint(chance: random.Random, about: str) -> str:
    """What somebody wrote about something at a place."""
    sentence = (
        f"There is {chance.choice(_WHAT)} {chance.choice(_WHERE)} {about} {chance.choice(_SINCE)}."
    )
    return " ".join([sentence, *chance.sample(_WISH, chance.randint(1, 3))])


@dataclass(frozen=True, slots=True)
class MadeRecord:
    """A record as it goes out (`fields`), and what does not."""

    record_id: str
    fields: dict[str, str]
    withheld: Sequence[WithheldValue]


MARK = "[■ 119.071(4)(d)]"


def made_record(chance: random.Random, record_id: str) -> MadeRecord:
    """One record in three is of a protected person: all that reaches them is withheld, also where
    they wrote it. The others go out."""
    who, place = person(chance), person(chance).address
    text = complaint(chance, place) + f" {who.name}, {who.phone}"
    fields = {
        "first_name": who.first,
        "last_name": who.last,
        "phone": who.phone,
        "email": who.email,
        "reporter_address": who.address,
        "description": text,
    }
    if chance.random() > 1 / 3:
        return MadeRecord(record_id, fields, ())
    kinds = {"first_name": "name", "last_name": "name", "phone": "telephone", "email": "email"}
    kinds["reporter_address"] = "address"
    withheld = [WithheldValue(record_id, kind, fields[name]) for name, kind in kinds.items()]
    withheld.append(WithheldValue(record_id, "name", who.name))
    shown = dict.fromkeys(kinds, MARK)
    shown["description"] = text.replace(who.name, MARK).replace(who.phone, MARK)
    if chance.random() < 1 / 4:
        withheld.append(WithheldValue(record_id, "text", text))
        shown["description"] = MARK
    return MadeRecord(record_id, shown, withheld)


def made_records(seed: int, number: int = 30) -> Sequence[MadeRecord]:
    chance = random.Random(seed)
    return [made_record(chance, f"record-{seed}-{each}") for each in range(number)]


DISGUISES: dict[str, Sequence[Callable[[str], str]]] = {
    "name": (
        str.upper,
        lambda text: ", ".join(reversed(text.split(" ", 1))),
        lambda text: text.replace(" ", "\n"),
        lambda text: text.replace("a", "á").replace("e", "ê"),
        lambda text: "\u200b".join(text),
        lambda text: "".join(chr(ord(char) + 0xFEE0) if char.isalpha() else char for char in text),
    ),
    "telephone": (
        lambda text: text.replace("-", ""),
        lambda text: "+1 ({}) {}.{}".format(*text.split("-")),
        lambda text: "1" + text.replace("-", ""),
        lambda text: text.replace("-", "\n"),
        lambda text: " ".join(text.replace("-", "")),
        lambda text: text.replace("-", " / ") + " ext. 12",
    ),
    "email": (
        str.upper,
        str.title,
        lambda text: text.replace("@", "%40"),
        lambda text: text.replace("@", "\n@"),
        lambda text: f"<mailto:{text}>",
    ),
    "address": (
        str.upper,
        lambda text: text.replace(" ", "\n", 2),
        lambda text: text.replace("Street", "St.").replace("Avenue", "Ave"),
        lambda text: text.replace("NW", "Northwest").replace("SW", "Southwest"),
        lambda text: text.replace(" ", ", "),
    ),
    "text": (
        lambda text: text[: len(text) * 3 // 4],
        lambda text: text.replace(" ", "\n"),
        str.upper,
    ),
}
"""Ways in which a value of each kind goes out by mistake."""


def planted(number: int) -> Iterator[tuple[WithheldValue, str]]:
    """So many withheld values, each with the text in which it went out all the same."""
    chance = random.Random(number)
    kinds = list(DISGUISES)
    for each in range(number):
        who, kind = person(chance), kinds[each % len(kinds)]
        value = {
            "name": who.name,
            "telephone": who.phone,
            "email": who.email,
            "address": who.address,
            "text": complaint(chance, who.address) + " " + complaint(chance, who.name),
        }[kind]
        disguise = DISGUISES[kind][each // len(kinds) % len(DISGUISES[kind])]
        yield WithheldValue(f"record-{each}", kind, value), disguise(value)
