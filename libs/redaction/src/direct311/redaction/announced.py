"""Names and home addresses that the writer announces: 'my name is …', 'vivo en …', 'mwen rele …'.

Strong forms announce a name whatever follows. Weak forms ('I am …', 'soy …') are common without a
name: a listed given name must follow them or, after some forms, a capital letter in a text that
also has lowercase letters. These rules do not find a name in running text that nothing announces.
"""

import re
from collections.abc import Iterator
from enum import Enum

from direct311.redaction.spans import Reading, Span
from direct311.redaction.words import (
    ADDRESS_ENDS,
    ARTICLES,
    CITY_WORDS,
    COMMON,
    CONJUNCTIONS,
    DIRECTIONS,
    GIVEN_NAMES,
    NAMES_TOO,
    PARTICLES,
    STREET_TYPES,
    THINGS_WITH_NAMES,
    TITLES,
    listed,
)

_LONGEST_NAME = 5
_LONGEST_SMALL_NAME = 4
_LONGEST_ADDRESS = 18


def _form(alternatives: str) -> re.Pattern[str]:
    """One of the alternatives, ending at a word boundary.

    Each alternative begins with a plain letter, so that the search can skip to such letters.
    """
    return re.compile(rf"(?:{alternatives})(?!(?<=[a-z])[a-z0-9])")


_STRONG = _form(
    r"(?:surname|firstname|lastname|fullname|name|nombre|apellidos|apellido)"
    r"(?: completo)?(?: is| was| es| era|'s|s(?= )|[ ]?[:=])"
    r"|me llamo|se llamo|se llama|non ?[:=]"
    r"|non (?:mwen|m)(?: se|[:=])?|non'?m(?: se|[:=])|siyati (?:mwen|m)(?: se|[:=])?"
    r"|mwen rele|m rele|li rele|rele (?:mwen|m)|le habla|les habla|te habla|de parte de"
    r"|mr|mrs|mister|sra|srta|msye|madan"
)
_STRONG_WORDS = listed(
    """
    name names surname firstname lastname fullname name's nombre apellido apellidos llamo llama non
    nonm non'm siyati rele habla parte mr mrs mister sra srta msye madan
    """
)
# Up to what follows a name; it may contain the period of 'St.' or of an initial.
_UP_TO = r"(?:[^\d\x01\n.;!?]|(?<![a-z]{3})\.){2,50}[, ]"
_CALLING = _form(rf"(?:this is|it is)(?={_UP_TO}(?:calling|speaking|writing|reporting)(?![a-z]))")
_CALLING_WORDS = listed("calling speaking writing reporting")
_GREETING = _form(
    r"(?:hello|hi|hey|greetings|morning|afternoon|evening)[,.!\- ]{1,3}(?:this is|it is|it's)"
)
_GREETING_WORDS = listed("hello hi hey greetings morning afternoon evening")
_WEAK_CAPITAL = _form(
    r"i am|i'm|im|call me|my name|mi nombre|named|soy|mwen se|m se|non'?m|non se"
    rf"|se(?={_UP_TO}k ?ap (?:pale|rele|ekri))"
    r"|ms|senora?|senorita|madam|don"
)
_WEAK_CAPITAL_WORDS = listed(
    """
    am i'm im call name nombre named soy se non nonm non'm ms senor senora senorita
    madam don
    """
)
_WEAK_LISTED = _form(
    r"this is|it is|it's|its|ask for|speak (?:to|with)|contact|hablar con|habla|pregunte por"
    r"|pregunten por|mande pou"
)
_SIGN_OFF = _form(
    r"thank you|thanks|thx|regards|sincerely|respectfully|cordially|signed|yours truly|gracias"
    r"|atentamente|saludos|cordialmente|mesi|firmado"
)
_SIGN_OFF_WORDS = listed(
    """
    thank thanks thx regards sincerely respectfully cordially signed yours gracias atentamente
    saludos cordialmente mesi firmado
    """
)
_GAP = re.compile(r"[ \t\n:,;!\"'*\-.=(]{1,6}")
_WORD = re.compile(r"[^\W\d_]++(?:['\-][^\W\d_]++)*+")
_SPACE = re.compile(r"[ \t]{1,3}")
_DOT = re.compile(r"\.[ \t]{0,3}")
_COMMA = re.compile(r",[ \t]{0,3}")
_LINE_END = re.compile(r"[ \t.!,;)\-]{0,8}(?:\n|\Z)")

_HOME = _form(
    r"live (?:at|on|in)|lives (?:at|on|in)|living (?:at|on|in)|staying (?:at|on|in)"
    r"|reside (?:at|on|in|en)|resides (?:at|on|in)|residing (?:at|on|in)"
    r"|(?:my|home|mailing) address(?: is|'s|[ ]?[:=,\-])?"
    r"|vivo (?:en|por)|vive (?:en|por)|vivimos (?:en|por)|viviendo (?:en|por)"
    r"|resido (?:en|por)|residimos (?:en|por)"
    r"|direccion(?: de casa| particular)?(?: es| esta en|[ ]?[:=])"
    r"|domicilio(?: particular)?(?: es| esta en|[ ]?[:=])"
    r"|(?:mwen|m|nou) (?:rete|abite|viv)(?: (?:nan|sou|lan))?"
    r"|adres (?:mwen|m|lakay mwen|lakay m|kay mwen|kay m)(?: se|[ ]?[:=])?"
)
_HOME_WORDS = listed(
    """
    live lives living reside resides residing staying address address's vivo vive vivimos viviendo
    resido residimos direccion domicilio rete abite viv adres
    """
)
_HOUSE = _form(
    r"my (?:home|house|apartment|apt|residence|condo|unit|place)"
    r"(?:,| is located| is| located)?(?: at| on| in)?(?: the)?"
    r"|mi (?:casa|apartamento|apto)(?: esta| queda)?(?: en)?"
    r"|(?:kay|lakay) (?:mwen|m)(?: nan| sou| se)?"
)
_HOUSE_WORDS = listed(
    """
    home house apartment apt residence condo unit place casa apartamento apto kay lakay
    """
)
_TOKEN = re.compile(r"[^\s,;!?()\x01]++")
_TOKEN_GAP = re.compile(r"[ \t]{1,3}(?![,\n])|(?P<comma>[ \t]{0,3}(?:,[ \t\n]{0,3}|\n))")
_DIGIT = re.compile(r"\d")


def names(reading: Reading) -> Iterator[Span]:
    """The names that a text announces."""
    shadow, words = reading.shadow, reading.words
    if not words.isdisjoint(_STRONG_WORDS):
        done = 0
        for form in _forms(_STRONG, shadow):
            if not _of_a_thing(shadow, form, done):
                for start, end in _name_after(reading, form.end(), Announced.BY_FORM):
                    yield start, end
                    done = end
    if not words.isdisjoint(_CALLING_WORDS):
        for form in _forms(_CALLING, shadow):
            yield from _name_after(reading, form.end(), Announced.BY_FORM)
    for gate, pattern in (
        (_GREETING_WORDS, _GREETING),
        (_WEAK_CAPITAL_WORDS, _WEAK_CAPITAL),
    ):
        if not words.isdisjoint(gate):
            for form in _forms(pattern, shadow):
                yield from _name_after(reading, form.end(), Announced.BY_CAPITAL)
    if not words.isdisjoint(_SIGN_OFF_WORDS):
        for form in _forms(_SIGN_OFF, shadow):
            for start, end in _name_after(reading, form.end(), Announced.BY_CAPITAL):
                if _LINE_END.match(shadow, end):
                    yield start, end
    if not words.isdisjoint(GIVEN_NAMES):
        for form in _forms(_WEAK_LISTED, shadow):
            yield from _name_after(reading, form.end(), Announced.BY_LIST)


def home_addresses(reading: Reading) -> Iterator[Span]:
    """The home addresses that a text announces. The place of a problem is not a home address: it
    stays."""
    shadow, words = reading.shadow, reading.words
    if not words.isdisjoint(_HOME_WORDS):
        for form in _forms(_HOME, shadow):
            yield from _address_after(shadow, form.end(), number_will_do=True)
    if not words.isdisjoint(_HOUSE_WORDS):
        for form in _forms(_HOUSE, shadow):
            yield from _address_after(shadow, form.end(), number_will_do=False)


def _forms(pattern: re.Pattern[str], shadow: str) -> Iterator[re.Match[str]]:
    """The matches that start and end at word boundaries."""
    for form in pattern.finditer(shadow):
        start, end = form.span()
        if start and shadow[start - 1].isalnum():
            continue
        if shadow[end - 1].isalnum() and shadow[end : end + 1].isalnum():
            continue
        yield form


def _of_a_thing(shadow: str, form: re.Match[str], done: int) -> bool:
    """Whether the name belongs to a thing: 'the street name is …', 'la calle se llama …'.

    Text before `done` belongs to another name.
    """
    if not form.group().startswith(("name", "nombre", "se llama")):
        return False
    before = shadow[max(done, form.start() - 24) : form.start()].split()
    return bool(before) and before[-1].removesuffix("'s") in THINGS_WITH_NAMES


class Announced(Enum):
    """How sure a form is that a name follows.

    `BY_FORM`: any word that is not a common one begins a name. `BY_LIST`: a listed given name does.
    `BY_CAPITAL`: a listed name does, and so does any capitalized word if the text has lowercase
    letters.
    """

    BY_FORM = 1
    BY_CAPITAL = 2
    BY_LIST = 3


def _name_after(reading: Reading, at: int, announced: Announced) -> Iterator[Span]:
    """The name after a form that ends at `at`: up to five words and what joins them."""
    shadow = reading.shadow
    gap = _GAP.match(shadow, at)
    if not gap:
        return
    at = start = gap.end()
    end = count = 0
    for _ in range(_LONGEST_NAME * 2):
        word = _WORD.match(shadow, at)
        if not word or count == _LONGEST_NAME:
            break
        token, at = word.group(), word.end()
        initial = len(token) == 1 and shadow[at : at + 1] == "."
        if initial or (token in TITLES and not count):
            at = _skip(shadow, at, dotted=True)
            continue
        if token in CONJUNCTIONS:
            joined = _WORD.match(shadow, _skip(shadow, at, dotted=False))
            if not (count and joined and joined.group() in GIVEN_NAMES):
                break
            at = joined.start()
            continue
        if token in PARTICLES and (following := _skip(shadow, at, dotted=True)) > at:
            at = following
            continue
        if not _is_name(reading, token, word.start(), count, announced):
            break
        count, end = count + 1, word.end()
        comma = _COMMA.match(shadow, at)
        if comma:
            turned = _WORD.match(shadow, comma.end())
            if not (turned and turned.group() in GIVEN_NAMES):
                break
            at = comma.end()
        elif (following := _skip(shadow, at, dotted=False)) > at:
            at = following
        else:
            break
    if count:
        yield start, end


def _is_name(reading: Reading, token: str, at: int, count: int, announced: Announced) -> bool:
    """Whether a word belongs to a name that already has `count` words."""
    by_form = announced is Announced.BY_FORM
    if token in COMMON:
        if token in NAMES_TOO:
            return by_form or (count > 0 and reading.has_capital(at))
        return by_form and not count and reading.has_capital(at)
    if token in GIVEN_NAMES or (by_form and count < _LONGEST_SMALL_NAME):
        return True
    if count:
        return count < 2 or reading.has_capital(at)
    return announced is Announced.BY_CAPITAL and len(token) > 1 and reading.has_capital(at)


def _skip(shadow: str, at: int, *, dotted: bool) -> int:
    """The position after the space between two words of a name, and after a period where one is
    allowed."""
    gap = (_DOT.match(shadow, at) if dotted else None) or _SPACE.match(shadow, at)
    return gap.end() if gap else at


def _address_after(shadow: str, at: int, *, number_will_do: bool) -> Iterator[Span]:
    """The address after a form that ends at `at`, if there is one."""
    gap = _GAP.match(shadow, at)
    if not gap:
        return
    at = start = gap.end()
    end = 0
    before = ""
    numbered = streetlike = crossing = False
    for place in range(_LONGEST_ADDRESS):
        token = _TOKEN.match(shadow, at)
        if not token:
            break
        word = token.group().strip(".'\"")
        joins = crossing and word in ("and", "y", "con", "&", "ak")
        if word in ADDRESS_ENDS and not joins:
            break
        numbered = numbered or _DIGIT.search(word) is not None
        if word in STREET_TYPES or word in DIRECTIONS:
            crossing = crossing or word in ("corner", "esquina", "intersection", "kwen")
            streetlike = streetlike or (bool(before) and before not in ARTICLES)
        elif before in STREET_TYPES:
            streetlike = streetlike or word not in ARTICLES
        elif place == 1 and before.isdigit() and word.isalpha():
            streetlike = word not in COMMON
        before, end = word, token.end()
        if _ends_sentence(token.group(), word):
            end -= 1
            break
        space = _TOKEN_GAP.match(shadow, end)
        if not space:
            break
        at = space.end()
        if space.group("comma") is not None and not _continues_address(shadow, at):
            break
    if (numbered or streetlike) if number_will_do else (numbered and streetlike):
        yield start, end


def _ends_sentence(token: str, word: str) -> bool:
    return token.endswith(".") and word not in STREET_TYPES | DIRECTIONS and len(word) > 1


def _continues_address(shadow: str, at: int) -> bool:
    """Whether the text after a comma still belongs to the address: a city, a unit, a ZIP code."""
    token = _TOKEN.match(shadow, at)
    if not token:
        return False
    word = token.group().strip(".")
    return word in CITY_WORDS or word[:1] == "#" or (len(word) in (5, 10) and word[:5].isdigit())
