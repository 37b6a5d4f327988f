"""Made-up people, and the ways in which people write a name, a number or an e-mail address."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from random import Random

_CYRILLIC = str.maketrans("aceopxyABCEHKMOPTX", "асеорхуАВСЕНКМОРТХ")  # noqa: RUF001
_GREEK = str.maketrans("oOAEIKMNPTXYZ", "οΟΑΕΙΚΜΝΡΤΧΥΖ")  # noqa: RUF001
_WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_ACCENTS = str.maketrans("aeiou", "áéíóú")
MIDDLE = (
    "Alejandro", "Bernadette", "Cristina", "Desmond", "Esteban",
    "Fabiola", "Guillermo", "Henriette", "Ignacio", "Joaquina",
    "Katherine", "Leopoldo", "Mireille", "Natanael", "Octavia",
    "Philomena", "Quentin", "Rosalinda", "Salvador", "Tomasina",
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """Made up from names that are frequent in the census; `second`: a second surname."""

    first: str
    middle: str
    last: str
    second: str

    @property
    def mail(self) -> str:
        return f"{self.first}.{self.last}@gmail.com".lower()


def _list(name: str) -> list[str]:
    lines = (files("direct311.redaction") / "data" / name).read_text().splitlines()
    return [line.split()[0].capitalize() for line in lines if line and not line.startswith("#")]


def persons(seed: int, count: int) -> list[Person]:
    """People, no two of whom share given name and first surname."""
    random = Random(seed)
    given = [each for each in _list("census_given_names.txt") if len(each) > 2]
    surnames = [each for each in _list("census_surnames.txt") if len(each) > 2]
    found: dict[tuple[str, str], Person] = {}
    while len(found) < count:
        last, second = random.sample(surnames, 2)
        person = Person(random.choice(given), random.choice(MIDDLE), last, second)
        if len({person.first, person.middle, last, second}) == 4:
            found.setdefault((person.first, person.last), person)
    return list(found.values())


NAMES: Mapping[str, Callable[[Person], tuple[str, str]]] = {
    "last name first": lambda p: (f"{p.first} {p.last}", f"{p.last}, {p.first}"),
    "capitals": lambda p: (f"{p.first} {p.last}", f"{p.last} {p.first}".upper()),
    "title": lambda p: (f"{p.first} {p.last}", f"Dr. {p.first} {p.last}"),
    "title in Spanish": lambda p: (f"{p.first} {p.last}", f"Sra. {p.first} {p.last}"),
    "title in Creole": lambda p: (f"{p.first} {p.last}", f"Madan {p.first} {p.last}"),
    "suffix": lambda p: (f"{p.first} {p.last}", f"{p.first} {p.last}, Jr."),
    "degree": lambda p: (f"{p.first} {p.last}", f"{p.first} {p.last}, Ph.D."),
    "middle name more": lambda p: (f"{p.first} {p.last}", f"{p.first} {p.middle} {p.last}"),
    "middle name less": lambda p: (f"{p.first} {p.middle} {p.last}", f"{p.first} {p.last}"),
    "middle initial more": lambda p: (
        f"{p.first} {p.last}",
        f"{p.last}, {p.first} {p.middle[0]}.",
    ),
    "middle initial for a name": lambda p: (
        f"{p.first} {p.middle} {p.last}",
        f"{p.first} {p.middle[0]}. {p.last}",
    ),
    "middle name for an initial": lambda p: (
        f"{p.first} {p.middle[0]} {p.last}",
        f"{p.first} {p.middle} {p.last}",
    ),
    "second surname more": lambda p: (f"{p.first} {p.last}", f"{p.first} {p.last} {p.second}"),
    "second surname less": lambda p: (
        f"{p.first} {p.middle} {p.last} {p.second}",
        f"{p.first} {p.last}",
    ),
    "surnames with a hyphen": lambda p: (
        f"{p.first} {p.last}-{p.second}",
        f"{p.first} {p.last} {p.second}",
    ),
    "surnames in one word": lambda p: (
        f"{p.first} {p.last}-{p.second}",
        f"{p.first} {p.last}{p.second.lower()}",
    ),
    "surnames with y": lambda p: (
        f"{p.first} {p.last} {p.second}",
        f"{p.first} {p.last} y {p.second}",
    ),
    "small words less": lambda p: (f"{p.first} de la {p.last}", f"{p.first} {p.last}"),
    "small words joined": lambda p: (
        f"{p.first} de la {p.last}",
        f"{p.first} Dela{p.last.lower()}",
    ),
    "apostrophe": lambda p: (f"{p.first} O'{p.last}", f"{p.first} O\u2019{p.last.upper()}"),
    "apostrophe as a blank": lambda p: (f"{p.first} O'{p.last}", f"{p.first} O {p.last}"),
    "Mc apart": lambda p: (f"{p.first} Mc{p.last}", f"{p.first} Mc {p.last}"),
    "saint": lambda p: (f"{p.first} Saint-{p.last}", f"{p.first} St. {p.last}"),
    "accents": lambda p: (f"{p.first} {p.last}", f"{p.first} {p.last.translate(_ACCENTS)}"),
    "Cyrillic letters": lambda p: (
        f"{p.first} {p.last}",
        f"{p.first} {p.last}".translate(_CYRILLIC),
    ),
    "Greek letters": lambda p: (f"{p.first} {p.last}", f"{p.first} {p.last}".translate(_GREEK)),
    "wide letters": lambda p: (f"{p.first} {p.last}", f"{p.first} {p.last}".translate(_WIDE)),
    "digits for letters": lambda p: (
        f"{p.first} {p.last}",
        f"{p.first} {p.last}".replace("o", "0").replace("i", "1"),
    ),
    "l for I": lambda p: (f"{p.first} {p.last}", f"{p.first} {p.last}".replace("I", "l")),
    "nothing seen between": lambda p: (
        f"{p.first} {p.last}",
        "\u200b".join(f"{p.first}\u00a0\u3000{p.last}"),
    ),
    "nickname": lambda p: (f"{p.first} {p.last}", f'{p.first} "Coco" {p.last}'),
    "two persons": lambda p: (f"{p.first} {p.last}", f"Coco and {p.first} {p.last}"),
    "two persons by &": lambda p: (f"{p.first} {p.last}", f"{p.first} & Coco {p.last}"),
    "twice": lambda p: (f"{p.first} {p.last}", f"{p.first} {p.last} {p.first} {p.last}"),
}
"""One person's name, as in the registry and as in a request."""

MAILS: Mapping[str, Callable[[str], str]] = {
    "capitals": str.upper,
    "tag": lambda a: a.replace("@", "+311@"),
    "no dots": lambda a: a.partition("@")[0].replace(".", "") + "@gmail.com",
    "other domain of the provider": lambda a: a.replace("gmail", "googlemail"),
    "tag and other domain": lambda a: a.replace("@gmail", "+a+b@GoogleMail"),
    "Cyrillic letters": lambda a: a.translate(_CYRILLIC),
    "Greek letters": lambda a: a.replace("o", "\u03bf"),
    "wide letters": lambda a: a.translate(_WIDE),
    "comment": lambda a: a.replace("@", "(home)@"),
    "quotes": lambda a: '"' + a.replace("@", '"@'),
    "angle brackets": lambda a: f"<{a}>",
    "behind a name": lambda a: f"Coco Chanel <{a}>",
    "link": lambda a: f"mailto:{a}",
    "second of two": lambda a: f"coco@example.org,{a}",
    "second of two after a word": lambda a: f"coco@example.org or {a}",
    "period behind": lambda a: f"{a}.",
    "blanks": lambda a: f"  {a.replace('@', ' @ ')} ",
    "nothing seen between": "\u200b".join,
    "in words": lambda a: a.replace("@", " at ").replace(".com", " dot com"),
    "in words of Spanish": lambda a: a.replace("@", " arroba ").replace(".com", " punto com"),
}
"""An address of the same mailbox, written differently."""

_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_PALABRAS = ("cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve")


def _cut(number: str) -> tuple[str, str, str]:
    return number[:3], number[3:6], number[6:]


PHONES: Mapping[str, Callable[[str], str]] = {
    "usual": lambda n: "({}) {}-{}".format(*_cut(n)),
    "country": lambda n: "+1 {} {} {}".format(*_cut(n)),
    "country by 001": lambda n: "001 {} {} {}".format(*_cut(n)),
    "country by 011": lambda n: "011-1-{}-{}-{}".format(*_cut(n)),
    "slashes": lambda n: "{}/{}/{}".format(*_cut(n)),
    "signs": lambda n: "{}_{}*{}".format(*_cut(n)),
    "pairs": lambda n: f"{n[:3]} {n[3:6]} {n[6:8]} {n[8:]}",
    "digit by digit": "-".join,
    "wide digits": lambda n: n.translate(_WIDE),
    "Arabic digits": lambda n: "".join(chr(0x660 + int(digit)) for digit in n),
    "letters for digits": lambda n: n.replace("0", "O").replace("1", "l"),
    "words": lambda n: " ".join(_WORDS[int(digit)] for digit in n),
    "words of Spanish": lambda n: " ".join(_PALABRAS[int(digit)] for digit in n),
    "extension": lambda n: f"{n} x 12",
    "extension in words": lambda n: f"{n}, extension 7",
    "second of two": lambda n: f"786-444-0199 / {n}",
    "second of two by a word": lambda n: f"7864440199 or {n}",
    "second of two by a word of Spanish": lambda n: f"7864440199 o {n}",
    "second of two by a word of Creole": lambda n: f"7864440199 oswa {n}",
    "second of two by a blank": lambda n: f"7864440199 {n}",
    "end of two": lambda n: f"{n[:6]}9999/{n[6:]}",
    "announced": lambda n: f"cell: {n}",
    "in a sentence": lambda n: f"call {n} after 5",
    "link": lambda n: f"tel:+1{n}",
    "without its area code": lambda n: f"{n[3:6]}-{n[6:]}",
    "nothing seen between": "\u200b".join,
}
"""The same number, written differently."""
