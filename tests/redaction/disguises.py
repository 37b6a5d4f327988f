"""Numbers and e-mail addresses in disguise, and innocent things that look like them, made by rule
from a fixed seed: kinds, disguises and three languages. Everything is made up."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from direct311.redaction import Kind, Redacted

LANGUAGES = ("en", "es", "ht")
SEED = 311

Groups = Sequence[str]
Chance = random.Random


@dataclass(frozen=True, slots=True)
class Sample:
    """A text with one number or address in it, from `start` to `end`, in a disguise."""

    kind: Kind
    disguise: str
    language: str
    text: str
    start: int
    end: int

    def hidden(self, result: Redacted) -> bool:
        """Whether all of it was taken out."""
        return any(start <= self.start and self.end <= end for start, end, _ in result.spans)


@dataclass(frozen=True, slots=True)
class Innocent:
    """A text without anything to take out."""

    what: str
    language: str
    text: str


# ------------------------------------------------------------------ numbers


def _luhn_digit(digits: str) -> str:
    total = 0
    for place, char in enumerate(reversed(digits)):
        doubled = int(char) * 2 if place % 2 == 0 else int(char)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


def _digits(chance: Chance, count: int) -> str:
    return "".join(chance.choice("0123456789") for _ in range(count))


def _split(digits: str, sizes: Sequence[int]) -> list[str]:
    groups, at = [], 0
    for size in sizes:
        groups.append(digits[at : at + size])
        at += size
    return groups


def card(chance: Chance) -> list[str]:
    head, size, sizes = chance.choice(
        [
            ("4", 16, (4, 4, 4, 4)),
            ("51", 16, (4, 4, 4, 4)),
            ("55", 16, (4, 4, 4, 4)),
            ("2720", 16, (4, 4, 4, 4)),
            ("6011", 16, (4, 4, 4, 4)),
            ("37", 15, (4, 6, 5)),
            ("34", 15, (4, 6, 5)),
            ("36", 14, (4, 6, 4)),
        ]
    )
    digits = head + _digits(chance, size - 1 - len(head))
    return _split(digits + _luhn_digit(digits), sizes)


def routing(chance: Chance) -> list[str]:
    while True:
        digits = chance.choice(("06", "26", "01", "11", "31")) + _digits(chance, 6)
        weights = (3, 7, 1, 3, 7, 1, 3, 7)
        total = sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=True))
        return _split(digits + str(-total % 10), (3, 3, 3))


def social_security(chance: Chance) -> list[str]:
    area = chance.choice([number for number in range(100, 772) if number != 666])
    return [f"{area}", f"{chance.randrange(1, 100):02}", f"{chance.randrange(1, 10000):04}"]


def telephone(chance: Chance) -> list[str]:
    return [chance.choice(("305", "786", "954")), "555", f"01{chance.randrange(100):02}"]


def account(chance: Chance) -> list[str]:
    return _split(str(chance.randrange(1, 10)) + _digits(chance, 11), (4, 4, 4))


def iban(chance: Chance) -> list[str]:
    country, size = chance.choice((("DE", 18), ("ES", 20), ("AT", 16), ("BE", 12), ("PT", 21)))
    body = _digits(chance, size)
    number = int(body + "".join(str(int(char, 36)) for char in country) + "00")
    whole = f"{country}{98 - number % 97:02}{body}"
    return [whole[at : at + 4] for at in range(0, len(whole), 4)]


NUMBERS: Mapping[str, tuple[Kind, Callable[[Chance], list[str]]]] = {
    "card": ("card", card),
    "routing": ("bank", routing),
    "iban": ("bank", iban),
    "account": ("bank", account),
    "social security": ("social_security", social_security),
    "telephone": ("telephone", telephone),
}

# What stands around: the number at the braces. Cards, routing numbers and IBANs need no more than
# their check digit.
AROUND: Mapping[str, Mapping[str, Sequence[str]]] = {
    "card": {
        "en": (
            "There is a hole at the bank, I paid {} for the tow",
            "{} was stolen there",
            "the tow took {}",
        ),
        "es": ("Hay un hueco en la calle y pagué con {} la grúa", "me robaron {} en la esquina"),
        "ht": ("Gen yon twou nan lari a, mwen peye ak {} pou remòkaj la", "yo vòlè {} la"),
    },
    "routing": {
        "en": ("send the refund to {}, thank you", "the bank has {} on file"),
        "es": ("manden el reembolso a {}, gracias", "el banco tiene {} en su sistema"),
        "ht": ("voye lajan an nan {}, mèsi", "bank la gen {} nan sistèm li"),
    },
    "iban": {
        "en": ("send the refund to {}, thank you",),
        "es": ("manden el reembolso a {}, gracias",),
        "ht": ("voye lajan an bay {}, mèsi",),
    },
    "account": {
        "en": ("my account number is {}, send it there", "bank account: {}"),
        "es": ("mi cuenta es {}, manden el dinero", "número de cuenta: {}"),
        "ht": ("nimewo kont mwen se {}, voye lajan an", "kont labank: {}"),
    },
    "social security": {
        "en": ("my ssn is {}, please hurry", "my social security number: {}", "SSN {}"),
        "es": ("mi seguro social es {}, por favor", "número de seguro social: {}"),
        "ht": ("nimewo sekirite sosyal mwen se {}, tanpri", "sekirite sosyal mwen: {}"),
    },
    "telephone": {
        "en": ("call me at {}, please", "my phone number is {}", "text me: {}"),
        "es": ("llámame al {}, por favor", "mi teléfono es {}", "mi número es {}"),
        "ht": ("rele m nan {}, tanpri", "nimewo telefòn mwen se {}", "nimewo mwen: {}"),
    },
}

# ------------------------------------------------------------------ disguises

SPELLED: Mapping[str, Sequence[str]] = {
    "en": ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
    "es": ["cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"],
    "ht": ["zewo", "youn", "de", "twa", "kat", "senk", "sis", "sèt", "uit", "nèf"],
}
TENS: Mapping[str, Callable[[int], str]] = {}
DOUBLE = {"en": "double", "es": "doble", "ht": "doub"}
LETTERS = {"0": "Oo", "1": "lI", "2": "Z", "5": "S", "8": "B", "9": "g", "6": "G"}
EMOJI = ("\U0001f600", "⭐", "➡️", "\U0001f4de")


def _each(groups: Groups, change: Callable[[str], str], between: str = "-") -> str:
    return between.join("".join(map(change, group)) for group in groups)


def _entity(char: str, chance: Chance) -> str:
    form = chance.choice(("&#{};", "&#x{:x};", "&#X{:X};", "&#000{};"))
    return form.format(ord(char))


def _bare(char: str) -> str:
    return f"&#{ord(char)}"


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode())


def _letters(chance: Chance, groups: Groups) -> str:
    digits = [char for group in groups for char in group]
    swap = [at for at, char in enumerate(digits) if char in LETTERS]
    for at in chance.sample(swap, k=min(len(swap), max(1, len(digits) // 3))):
        digits[at] = chance.choice(LETTERS[digits[at]])
    return "-".join(_split("".join(digits), [len(group) for group in groups]))


def _words(groups: Groups, language: str, between: str = " ") -> str:
    return between.join(SPELLED[language][int(char)] for group in groups for char in group)


def _doubled(groups: Groups, language: str) -> str:
    digits, said, at = "".join(groups), [], 0
    while at < len(digits):
        word = SPELLED[language][int(digits[at])]
        if digits[at : at + 2] == digits[at] * 2:
            said.append(f"{DOUBLE[language]} {word}")
            at += 2
        else:
            said.append("oh" if language == "en" and digits[at] == "0" else word)
            at += 1
    return " ".join(said)


def _under_hundred(number: int, language: str) -> str:
    units = SPELLED[language]
    if language == "en":
        teens = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
        tens = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
        join = "-"
    elif language == "es":
        teens = "diez once doce trece catorce quince dieciséis diecisiete dieciocho diecinueve"
        tens = ["veinte", "treinta", "cuarenta", "cincuenta", "sesenta", "setenta"]
        tens += ["ochenta", "noventa"]
        join = " y "
    else:
        teens = "dis onz douz trèz katòz kenz sèz disèt dizuit diznèf"
        tens = ["ven", "trant", "karant", "senkant", "swasant"]
        join = " "
    if number < 20:
        return teens.split()[number - 10]
    if number // 10 - 2 >= len(tens):
        return f"{units[number // 10]} {units[number % 10]}"
    ten, unit = tens[number // 10 - 2], number % 10
    if language == "es" and 20 < number < 30:
        return (
            "veinti" + ("dós", "trés", "séis")[(2, 3, 6).index(unit)]
            if unit in (2, 3, 6)
            else "veinti" + units[unit]
        )
    return ten + join + units[unit] if unit else ten


def _pairs(groups: Groups, language: str) -> str:
    digits, said = "".join(groups), []
    for at in range(0, len(digits), 2):
        pair = digits[at : at + 2]
        if len(pair) == 2 and pair[0] != "0":
            said.append(_under_hundred(int(pair), language))
        else:
            said += [SPELLED[language][int(char)] for char in pair]
    return ", ".join(said)


def _odd(chance: Chance, groups: Groups) -> str:
    digits, pieces = "".join(groups), []
    while digits:
        size = chance.randint(1, 5)
        pieces.append(digits[:size])
        digits = digits[size:]
    return "-".join(pieces)


def _mixed(chance: Chance, groups: Groups) -> str:
    signs = "-./|*_,~+:;=#•\n "
    made = groups[0]
    for group in groups[1:]:
        made += "".join(chance.choice(signs) for _ in range(chance.randint(1, 4))) + group
    return made


def _from(zero: str) -> Callable[[str], str]:
    return lambda char: chr(ord(zero) + int(char)) if char.isdigit() else char


def _table(digits: str) -> Callable[[str], str]:
    return lambda char: digits[int(char)] if char.isdigit() else char


Disguise = Callable[[Chance, Groups, str], str]


def _joined(sign: str) -> Disguise:
    return lambda chance, groups, language: sign.join(groups)


def _changed(change: Callable[[str], str]) -> Disguise:
    return lambda chance, groups, language: _each(groups, change)


DISGUISES: Mapping[str, Disguise] = {
    "none": _joined(""),
    "groups": _joined("-"),
    "spaces": _joined(" "),
    "entities": lambda chance, groups, language: _each(groups, lambda char: _entity(char, chance)),
    "entities, some": lambda chance, groups, language: _each(
        groups, lambda char: _entity(char, chance) if chance.random() < 0.4 else char
    ),
    "entities without semicolon": lambda chance, groups, language: _each(groups, _bare, "&#45"),
    "entities of entities": lambda chance, groups, language: _each(
        groups, lambda char: "&amp;" + _entity(char, chance)[1:], "&amp;hyphen;"
    ),
    "entities three deep": lambda chance, groups, language: _each(
        groups, lambda char: "&amp;amp;" + _entity(char, chance)[1:], "&nbsp;"
    ),
    "separators as entities": lambda chance, groups, language: chance.choice(
        ("&hyphen;", "&nbsp;", "&period;", "&sol;", "&#8209;", "&ensp;", "&thinsp;")
    ).join(groups),
    "percent": _changed(_percent),
    "percent twice": _changed(lambda char: _percent(char).replace("%", "%25")),
    "percent of UTF-8": lambda chance, groups, language: _each(
        groups, lambda char: _percent(_from("\uff10")(char)), "%E2%80%93"
    ),
    "percent of entities": lambda chance, groups, language: _each(
        groups, lambda char: "".join(map(_percent, _entity(char, chance)))
    ),
    "escapes": lambda chance, groups, language: _each(
        groups, lambda char: chance.choice(("\\u{:04x}", "\\x{:02x}", "%u{:04x}")).format(ord(char))
    ),
    "tags": lambda chance, groups, language: chance.choice(
        ("<br>", "<b></b>", "</span><span>", "<!-- -->")
    ).join(groups),
    "full width": _changed(_from("\uff10")),
    "mathematical": lambda chance, groups, language: _each(
        groups, _from(chance.choice("\U0001d7ce\U0001d7d8\U0001d7e2\U0001d7ec\U0001d7f6"))
    ),
    "Arabic digits": lambda chance, groups, language: _each(
        groups, _from(chance.choice("\u0660\u06f0\u0966"))
    ),
    "superscript": _changed(_table("⁰¹²³⁴⁵⁶⁷⁸⁹")),
    "circled": _changed(_table("⓪①②③④⑤⑥⑦⑧⑨")),
    "ideographs": _changed(_table("〇一二三四五六七八九")),
    "keycaps": _changed(lambda char: char + "\ufe0f\u20e3"),
    "zero width": _changed(lambda char: char + "\u200b"),
    "invisible": lambda chance, groups, language: _each(
        groups,
        lambda char: char + chance.choice("\u200c\u2060\u00ad\ufeff\u3164\u180e\U000e0020\ufe0e"),
    ),
    "direction": lambda chance, groups, language: _each(
        groups, lambda char: chance.choice("\u202e\u202d\u2066\u200f") + char, "\u202c-"
    ).removeprefix("\u202e"),
    "combining": lambda chance, groups, language: _each(
        groups, lambda char: char + chance.choice("\u0301\u0338\u0336\u20dd")
    ),
    "dashes": _joined("--"),
    "dots": _joined("..."),
    "slashes": _joined("/"),
    "pipes": _joined("|"),
    "asterisks": _joined("**"),
    "underscores": _joined("__"),
    "commas": _joined(", "),
    "brackets": lambda chance, groups, language: "[" + "][".join(groups) + "]",
    "braces": lambda chance, groups, language: "(" + ") (".join(groups) + ")",
    "lines": _joined("\n"),
    "lines with dashes": _joined("\n-\n"),
    "emoji": lambda chance, groups, language: chance.choice(EMOJI).join(groups),
    "four signs": lambda chance, groups, language: "".join(
        chance.choice("-_./|*~=") for _ in range(4)
    ).join(groups),
    "each digit alone": lambda chance, groups, language: chance.choice(
        ("-", " . ", "*", "_", "\n", " | ")
    ).join("".join(groups)),
    "mixed signs": lambda chance, groups, language: _mixed(chance, groups),
    "odd groups": lambda chance, groups, language: _odd(chance, groups),
    "letters": lambda chance, groups, language: _letters(chance, groups),
    "words": lambda chance, groups, language: _words(groups, language),
    "words with signs": lambda chance, groups, language: _words(
        groups, language, chance.choice(("-", ", ", "\n", " / "))
    ),
    "words without spaces": lambda chance, groups, language: _words(groups, language, ""),
    "double": lambda chance, groups, language: _doubled(groups, language),
    "pairs in words": lambda chance, groups, language: _pairs(groups, language),
    "words and digits": lambda chance, groups, language: " ".join(
        char if chance.random() < 0.5 else SPELLED[language][int(char)]
        for group in groups
        for char in group
    ),
    "spoken signs": lambda chance, groups, language: {
        "en": " dash ",
        "es": " guión ",
        "ht": " tirè ",
    }[language].join(groups),
}

NOT_FOR = {
    # Its letters stay letters: no words, no other digits for them.
    "iban": {
        "words",
        "words with signs",
        "words without spaces",
        "double",
        "pairs in words",
        "words and digits",
        "letters",
        "odd groups",
        "tags",
        "percent of UTF-8",
    },
    # Odd groups in which only a check digit of one in ten speaks for it.
    "routing": {"odd groups"},
    "account": {"odd groups"},
}

# ------------------------------------------------------------------ e-mail

NAMES = ("maria.lopez", "jbatis88", "j_p", "okonkwo", "rosa-n")
HOSTS = ("example.com", "mail.example.org", "ejemplo.net", "egzanp.com")
AT = {"en": "at", "es": "arroba", "ht": "arobaz"}
DOT = {"en": "dot", "es": "punto", "ht": "pwen"}
WRITE: Mapping[str, Sequence[str]] = {
    "en": ("write to {}, please", "my e-mail: {}"),
    "es": ("escriban a {}, por favor", "mi correo: {}"),
    "ht": ("ekri {}, tanpri", "imel mwen: {}"),
}


def _spelled(address: str, language: str, at: str, dot: str) -> str:
    name, host = address.split("@")
    return name + at.format(AT[language]) + host.replace(".", dot.format(DOT[language]))


Mail = Callable[[Chance, str, str], str]

MAILS: Mapping[str, Mail] = {
    "none": lambda chance, address, language: address,
    "entities": lambda chance, address, language: "".join(
        _entity(char, chance) for char in address
    ),
    "entities of signs": lambda chance, address, language: address.replace("@", "&#64;").replace(
        ".", "&period;"
    ),
    "named": lambda chance, address, language: address.replace("@", "&commat;").replace(
        ".", "&#x2e" + ";"
    ),
    "entities of entities": lambda chance, address, language: address.replace("@", "&amp;#64;"),
    "entities without semicolon": lambda chance, address, language: address.replace(
        "@", "&commat"
    ).replace(".", "&period"),
    "percent": lambda chance, address, language: "".join(map(_percent, address)),
    "percent of signs": lambda chance, address, language: address.replace("@", "%40").replace(
        ".", "%2E"
    ),
    "percent twice": lambda chance, address, language: address.replace("@", "%2540").replace(
        ".", "%252e"
    ),
    "escapes": lambda chance, address, language: address.replace("@", "\\u0040").replace(
        ".", "\\x2e"
    ),
    "tags": lambda chance, address, language: address.replace("@", "<b>@</b>"),
    "full width": lambda chance, address, language: "".join(
        chr(ord(char) + 0xFEE0) for char in address
    ),
    "zero width": lambda chance, address, language: "\u200b".join(address),
    "direction": lambda chance, address, language: address.replace("@", "\u202d@\u202c"),
    "words": lambda chance, address, language: _spelled(address, language, " {} ", " {} "),
    "words in brackets": lambda chance, address, language: _spelled(
        address, language, " ({}) ", " ({}) "
    ),
    "words in square brackets": lambda chance, address, language: _spelled(
        address, language, "[{}]", "[{}]"
    ),
    "words in braces": lambda chance, address, language: _spelled(
        address, language, " {{{}}} ", " {{{}}} "
    ),
    "words in points": lambda chance, address, language: _spelled(
        address, language, " <{}> ", " <{}> "
    ),
    "words with dashes": lambda chance, address, language: _spelled(
        address, language, "-{}-", "-{}-"
    ),
    "words with underscores": lambda chance, address, language: _spelled(
        address, language, "_{}_", "_{}_"
    ),
    "words with asterisks": lambda chance, address, language: _spelled(
        address, language, " *{}* ", " *{}* "
    ),
    "words on lines": lambda chance, address, language: _spelled(
        address, language, "\n{}\n", "\n{}\n"
    ),
    "spaces": lambda chance, address, language: (
        address.replace("@", " @ ")
        .replace(".com", " . com")
        .replace(".org", " . org")
        .replace(".net", " . net")
    ),
    "lines": lambda chance, address, language: address.replace("@", "\n@\n"),
    "brackets": lambda chance, address, language: address.replace("@", " [@] ").replace(".", "[.]"),
}


# ------------------------------------------------------------------ the set


def samples(each: int = 6, seed: int = SEED) -> Iterator[Sample]:
    """`each` of every kind, disguise and language."""
    for name, (kind, make) in NUMBERS.items():
        for disguise, change in DISGUISES.items():
            if disguise in NOT_FOR.get(name, ()):
                continue
            for language in LANGUAGES:
                chance = random.Random(f"{seed} {name} {disguise} {language}")
                for _ in range(each):
                    around = chance.choice(AROUND[name][language])
                    yield _placed(
                        kind,
                        f"{disguise}",
                        language,
                        around,
                        change(chance, make(chance), language),
                    )
    for disguise, write in MAILS.items():
        for language in LANGUAGES:
            chance = random.Random(f"{seed} mail {disguise} {language}")
            for _ in range(each):
                address = f"{chance.choice(NAMES)}@{chance.choice(HOSTS)}"
                around = chance.choice(WRITE[language])
                yield _placed("email", disguise, language, around, write(chance, address, language))


def _placed(kind: Kind, disguise: str, language: str, around: str, written: str) -> Sample:
    start = around.index("{}")
    # Signs around a number are not its own.
    lead = len(written) - len(written.lstrip("[(<*\u202d\u202e\u2066\u200f"))
    tail = len(written) - len(written.rstrip("])>\u200b\u202c;\ufe0f\u20e3"))
    text = around.replace("{}", written)
    return Sample(kind, disguise, language, text, start + lead, start + len(written) - tail)


STREETS = ("NW 7 St", "SW 142 Ave", "NE 2nd Ave", "Biscayne Blvd", "SW 8th Street", "W Flagler St")


def _pick(chance: Chance, low: int, high: int) -> int:
    return chance.randrange(low, high)


INNOCENT: Mapping[str, Callable[[Chance], str]] = {
    "date and time": lambda c: (
        f"{_pick(c, 1, 13)}/{_pick(c, 1, 29)}/2026 {_pick(c, 1, 13)}:{_pick(c, 10, 60)}"
    ),
    "dates": lambda c: (
        f"{_pick(c, 1, 13)}/{_pick(c, 1, 29)}/2026, {_pick(c, 1, 13)}/{_pick(c, 1, 29)}/2026"
    ),
    "ISO date": lambda c: (
        f"2026-{_pick(c, 10, 13)}-{_pick(c, 10, 29)}"
        f" {_pick(c, 10, 24)}:{_pick(c, 10, 60)}:{_pick(c, 10, 60)}"
    ),
    "span of dates": lambda c: f"4/{_pick(c, 10, 29)}/2026 8:00 - 4/{_pick(c, 10, 29)}/2026 17:00",
    "address": lambda c: (
        f"{_pick(c, 100, 29999)} {c.choice(STREETS)}, Miami, FL {_pick(c, 33010, 33299)}"
    ),
    "address with ZIP+4": lambda c: (
        f"{_pick(c, 100, 29999)} {c.choice(STREETS)}, Miami,"
        f" FL {_pick(c, 33010, 33299)}-{_pick(c, 1000, 9999)}"
    ),
    "addresses": lambda c: f"{_pick(c, 100, 29999)}, {_pick(c, 100, 29999)} {c.choice(STREETS)}",
    "house numbers": lambda c: ", ".join(str(n) for n in _row(c, 4)) + f" {c.choice(STREETS)}",
    "many house numbers": lambda c: ", ".join(str(n) for n in _row(c, 6)) + f" {c.choice(STREETS)}",
    "long house numbers": lambda c: (
        " / ".join(str(10000 + n) for n in _row(c, 4)) + f" {c.choice(STREETS)}"
    ),
    "rooms": lambda c: ", ".join(str(100 * floor + _pick(c, 1, 20)) for floor in (1, 2, 3)),
    "folio": lambda c: (
        f"folio {_pick(c, 10, 37)}-{_pick(c, 1000, 9999)}"
        f"-{_pick(c, 100, 999)}-{_pick(c, 1000, 9999)}"
    ),
    "folio alone": lambda c: (
        f"{_pick(c, 10, 37)}-{_pick(c, 1000, 9999)}-{_pick(c, 100, 999)}-{_pick(c, 1000, 9999)}"
    ),
    "permit": lambda c: f"permit {_pick(c, 2010, 2026)}{_pick(c, 100000, 999999)}",
    "permit with dashes": lambda c: (
        f"permit number B{_pick(c, 2010, 2026)}-{_pick(c, 100000, 999999)}"
    ),
    "order number": lambda c: (
        f"order {_pick(c, 100, 999)}-{_pick(c, 1000000, 9999999)}-{_pick(c, 1000000, 9999999)}"
    ),
    "ticket": lambda c: f"ticket #{_pick(c, 10**7, 10**8)}",
    "request": lambda c: f"request {_pick(c, 2020, 2026)}-{_pick(c, 10**5, 10**6)}",
    "plate": lambda c: f"{c.choice(('ABC', 'KLZ', 'QRS'))} {c.choice('DEFG')}{_pick(c, 10, 99)}",
    "vehicle number": lambda c: f"VIN 1HGCM82633A{_pick(c, 10**5, 10**6)}",
    "price": lambda c: f"${_pick(c, 1, 999)},{_pick(c, 100, 999)}.{_pick(c, 10, 99)}",
    "prices": lambda c: ", ".join(f"${_pick(c, 10, 999)}.{_pick(c, 10, 99)}" for _ in range(4)),
    "position": lambda c: f"25.{_pick(c, 10**5, 10**6)}, -80.{_pick(c, 10**5, 10**6)}",
    "position with many places": lambda c: (
        f"25.{_pick(c, 10**7, 10**8)},-80.{_pick(c, 10**7, 10**8)}"
    ),
    "time": lambda c: (
        f"{_pick(c, 1, 12)}:{_pick(c, 10, 60)} - {_pick(c, 1, 12)}:{_pick(c, 10, 60)}"
    ),
    "dimensions": lambda c: f"{_pick(c, 1, 99)} x {_pick(c, 1, 99)} x {_pick(c, 1, 99)} in",
    "measures": lambda c: (
        f"{_pick(c, 1, 99)}.{_pick(c, 1, 99)} ft, {_pick(c, 1, 99)}.{_pick(c, 1, 99)} ft"
    ),
    "years": lambda c: "2019, 2020, 2021, 2022",
    "meter": lambda c: f"meter {_pick(c, 10**7, 10**8)}",
    "poles": lambda c: f"poles {_pick(c, 1000, 9999)}, {_pick(c, 1000, 9999)}",
    "bus": lambda c: (
        f"bus {_pick(c, 1, 300)} at {_pick(c, 1, 12)}:{_pick(c, 10, 60)}, route {_pick(c, 1, 300)}"
    ),
    "words": lambda c: c.choice(
        ("one or two of them, three at most", "uno o dos, tres a lo más", "de twa fwa")
    ),
    "percents": lambda c: f"{_pick(c, 1, 99)}%, {_pick(c, 1, 99)}% & {_pick(c, 1, 99)}%",
    "crossing": lambda c: f"{c.choice(STREETS)} & {c.choice(STREETS)}",
    "at and dot": lambda c: c.choice(
        ("meet at noon", "the dot at the corner", "a las 5 en punto", "pwen an nan kwen an")
    ),
    "parcel": lambda c: f"1Z{_pick(c, 100, 999)}AA1{_pick(c, 10**9, 10**10)}",
    "id of a request": lambda c: str(UUID(int=c.getrandbits(128), version=4)),
    "model": lambda c: f"model WX{_pick(c, 1000, 9999)}-{_pick(c, 10, 99)}B",
    "count": lambda c: (
        f"{_pick(c, 1, 9)} bags, {_pick(c, 1, 9)} tires,"
        f" {_pick(c, 10, 99)} cans, {_pick(c, 1, 9)} beds"
    ),
}
IN: Mapping[str, Sequence[str]] = {
    "en": ("There is a problem: {}, please look", "seen {} by the neighbors"),
    "es": ("Hay un problema: {}, por favor vengan", "visto {} por los vecinos"),
    "ht": ("Gen yon pwoblèm: {}, tanpri vini", "nou wè {} nan katye a"),
}


def _row(chance: Chance, count: int) -> list[int]:
    start, step = chance.randrange(1000, 9000), chance.choice((2, 4, 10, 20))
    return [start + step * at for at in range(count)]


def innocents(each: int = 20, seed: int = SEED) -> Iterator[Innocent]:
    """`each` of every innocent thing in every language."""
    for what, make in INNOCENT.items():
        for language in LANGUAGES:
            chance = random.Random(f"{seed} {what} {language}")
            for _ in range(each):
                yield Innocent(
                    what, language, chance.choice(IN[language]).replace("{}", make(chance))
                )


def found_in(result: Redacted) -> Counter[Kind]:
    """What was taken out, apart from names and homes, which other rules look for."""
    return Counter(
        {kind: n for kind, n in result.kinds.items() if kind not in ("name", "home_address")}
    )
