"""Names of people in running text, which no form announces: 'my neighbor Carlos burns trash'.

A name begins with a word after which one is likely (a title, a kinship, a verb of saying), or with
a given name of the lists; it goes on over the words that can be parts of one. What has a thing's
word beside it, as streets, parks, schools, shops and dogs have, is no person's.

No rule asks that a text has no capitals, so that taking names out never makes others appear.
"""

import re
from collections.abc import Iterator, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from direct311.redaction.datafile import plain_list
from direct311.redaction.spans import Reading, Span
from direct311.redaction.words import COMMON, CONJUNCTIONS, GIVEN_NAMES, PARTICLES, listed

_LONGEST = 4
"""Words of a name, the particles apart."""
_LONGEST_SPAN = 12
"""And with them."""
_FAR = 3
"""Words from a cue to the name that it announces."""

_WORD = re.compile(r"[^\W\d_]+(?:['\-][^\W\d_]+)*|\d+[a-z]*|[#&]")
_NEAR = re.compile(r"[ \t]{1,2}|\.[ \t]{0,2}|[ \t]?[-&/][ \t]?")
_CUE_GAP = re.compile(r"[ \t]{0,2}[:,(\"'\-]{0,2}[ \t]{1,2}|[ \t]{0,2}[:,(\"'#\-]{1,2}[ \t]?")
"""Between a cue and what follows it. A point ends what the cue says, but after a short title."""
_TITLE_GAP = re.compile(r"\.[ \t]{0,2}")
_SHORT = 4
_SENTENCE = re.compile(r"[.!?\n]")


class _Cue(IntEnum):
    """How likely a name follows. `LISTED`: if a listed one does. `ANY`: if a capital does."""

    NONE = 0
    LISTED = 1
    ANY = 2


_TITLES = listed(
    """
    dr dra doc doctor doctora doktè dokte prof professor profesor profesora teacher maestro maestra
    pastor paste pastora reverend rev father padre bishop deacon rabbi imam brother bro sister
    officer ofisye oficial agent agente deputy detective sergeant sgt sargento captain capt lt
    lieutenant chief inspector inspectora enspekte commissioner comisionado comisionada komise mayor
    alcalde alcaldesa councilman councilwoman councilmember judge juez jij attorney abogado abogada
    avoka senator senador representative miss ms mr mrs mister madam madame madan madanm msye mesye
    sr sra srta senor senora senorita don dona lic licenciado ing coach principal director directora
    nurse enfermera
    """
)
_RELATIONS = listed(
    """
    driver chauffeur chofer chofe guard guardia gad contractor contratista plumber plomero neighbor
    neighbors neighbour neighbours landlord landlady tenant tenants owner owners roommate husband
    wife son daughter mother father mom mommy dad daddy brother sister cousin uncle aunt auntie
    grandmother grandfather grandma grandpa granny grandson granddaughter nephew niece boyfriend
    girlfriend fiance fiancee friend boss supervisor manager coworker colleague handyman gardener
    babysitter nanny caretaker caregiver janitor homeowner superintendent roomate kid child baby
    stepson stepdaughter stepfather stepmother partner spouse widow client patient guy man woman
    lady boy girl person gentleman named called vecino vecina vecinos dueno duena esposo esposa
    marido mujer hijo hija hermano hermana mama papa abuelo abuela tio tia primo prima sobrino
    sobrina nieto nieta suegro suegra cunado cunada yerno nuera amigo amiga jefe jefa inquilino
    inquilina casero casera propietario propietaria encargado encargada administrador administradora
    novio novia companero companera muchacho muchacha joven nino nina bebe llamado llamada senor
    senora portero vwazen vwazin pwopriyete pwopriyeta mari madanm manman papa gason fi pitit fre se
    granme granpe kouzen kouzin zanmi tonton matant bos patwon lokate lokateur neve nyes mouche dam
    jadinye jeran
    """
)
_SAYING = listed(
    """
    called contacted notified informed met know knows saw per from under dear hablamos llame conoce
    segun rele machin lakay
    """
)
_SIGNED = listed(
    """
    told tell asked emailed texted attn cc o by with to for behalf hable dije con por parte nombre
    dapre ak kay pou
    """
)
"""Who wrote it, who was spoken to, whose it is."""
_PAIRS: dict[str, frozenset[str]] = {
    "by": listed("reported signed submitted filed requested written sent made owned rented"),
    "with": listed("spoke spoken speak speaking talked talk talking met argued"),
    "to": listed("spoke spoken speak speaking talked talk talking belongs belong listen"),
    "o": listed("c"),
    "con": listed("hable hablamos hablado hablar hablo converse"),
    "por": listed("reportado firmado enviado escrito pregunte pregunten preguntar reportada"),
    "ak": listed("pale rete viv"),
    "kay": listed("se nan lan"),
    "pou": listed("mande"),
    "from": listed("message letter call note email signed complaint"),
    "for": listed("ask submitted asking care caring waiting filed"),
    "under": listed("was is report reported account filed"),
    "behalf": listed("on"),
    "parte": listed("de"),
    "nombre": listed("a"),
    "machin": listed("se"),
    "called": listed("i we"),
}
"""A word that says something of the next only after one of these."""
_LINKS = listed(
    "is was are s es era de del a al to of la el los las the mwen m ou li nou yo nan an sa mr"
)
"""May stand between a cue and the name."""

_FAMILY = listed("family families household residence")
_FAMILIA = listed("familia fanmi")
_SPEAKS = listed(
    """
    said says told lives lived promised refuses refused admitted threatened keeps here dice dijo
    vive tiene tira quema grita amenaza contesto di fe ap pap te kenbe
    """
)

_SAID = _SPEAKS | _FAMILY

# What stands after the name of a street, a place or a business, and before one.
_THINGS_AFTER = listed(
    """
    ave avenue st street rd road dr drive blvd boulevard ct court ter terrace ln lane way pl place
    cir circle hwy highway pkwy parkway expressway expy causeway bridge trail pike turnpike park
    playground school elementary middle high academy college university library hospital clinic
    church chapel temple synagogue cathedral ministries center centre plaza mall market supermarket
    store shop shops cafe cafeteria restaurant grill bar pizza bakery deli diner kitchen hotel motel
    inn apartments apartment apts condo condos condominium towers tower villas villa gardens garden
    estates heights hills hill springs lake lakes isles island key beach bay river canal creek point
    pointe shores village city county state building bldg garage station stadium field arena museum
    theater theatre auditorium cemetery funeral home homes memorial monument statue zoo farm ranch
    nursery auto autos tire tires motors towing plumbing roofing realty properties management
    services service company co corp inc llc ltd bank pharmacy laundry salon barbershop gym daycare
    festival parade day week route bus trolley line metrorail metromover section subdivision zone
    district community club association hoa foundation institute middle fort tree oak palm pine
    mahogany hurricane storm parque calle avenida escuela iglesia tienda
    """
)
_THINGS_BEFORE = listed(
    """
    calle avenida carretera paseo parque escuela colegio iglesia hospital plaza edificio tienda
    restaurante cafeteria mercado farmacia banco clinica residencial barrio reparto urbanizacion
    puente ri lari pak lekol legliz lopital boutik magazen mache katye saint san santa sto sta st
    ste mt mount fort ft port lake isla key cayo hurricane tropical storm huracan tormenta siklon
    street avenue road park school church store building restaurant complex dog dogs cat cats puppy
    kitten pet parrot horse perro perra perros perrito gato gata gatos mascota caballo gallo chen
    chat bet cheval poul bus route ruta flight model brand marca vehicle truck toyota honda ford n s
    e w ne nw sw north south east west norte sur oeste
    """
)
_PETS = listed(
    """
    dog dogs cat cats puppy puppies kitten pet pitbull chihuahua poodle parrot horse rooster perro
    perra perros perrito gato gata gatos mascota caballo gallo loro chen chat cheval
    """
)
# Businesses, offices, places, peoples and days, which have capitals as names of persons do.
_NO_PERSONS = listed(
    """
    cubano cubana colombiano colombiana venezolano venezolana haitiano haitiana dominicano hispano
    channel telemundo univision compliance enforcement solid public works customer parks police fire
    rescue zoning permits permitting traffic transit dispatch dispatcher operator management board
    council commission authority housing health human resources publix walmart target costco sedanos
    sedano winn dixie aldi navarro walgreens cvs mcdonalds wendys wendy's mcdonald's domino's papa
    john's burger king starbucks dunkin chase wells fargo citibank fpl comcast xfinity att verizon
    tmobile sprint fedex ups usps amazon uber lyft google facebook nextdoor whatsapp youtube waze
    wasd mdpd fdot fema hud epa ada hoa miami-dade dade florida miami hialeah kendall doral
    homestead aventura coral gables gardens beach brickell wynwood overtown allapattah cutler
    pinecrest sweetwater westchester medley opa-locka opa locka surfside sunny isles goulds perrine
    naranja princeton leisure richmond palmetto tamiami biscayne flagler okeechobee everglades
    collins lincoln ocean bird sunset krome bayside dolphin marlins heat dolphins hurricanes metro
    metrobus metrorail broward monroe usa cuba haiti venezuela colombia mexico jamaica nicaragua
    honduras peru puerto rico dominican georgia virginia carolina dakota jackson baptist mercy
    nicklaus ryder hummer spanish english creole kreyol ayisyen ayiti haitian cuban american latino
    hispanic christian catholic jewish christmas easter thanksgiving halloween hanukkah ramadan god
    jesus jezi dios bondye lord internet covid ikea home depot lowes lowe's january february march
    april may june july august september october november december enero febrero marzo abril mayo
    junio julio agosto septiembre octubre noviembre diciembre janvye fevriye mas avril jen jiye out
    septanm oktob novanm desanm monday tuesday wednesday thursday friday saturday sunday lunes
    martes miercoles jueves viernes sabado domingo lendi madi mekredi jedi vandredi samdi dimanch
    """
)
_WORDS_TOO = listed(
    """
    ada al ali amber amen an angel april art asia autumn bee bell berry bill birch blossom blue bond
    brandy bridge brook brown buck bud buddy camp car carol cash cat chance charity chase cherry
    china chrystal clay clear cliff clover coral cotton cove crew cruz crystal cyclone daisy dale
    dawn dean dee dell delta desert destiny devon diamond dick don dot drew duke earl earth east
    eden edge era ester eve faith fall fern field flor flora florida ford forest fox france france
    garnet gay gene genesis gil ginger glen glory golden grace grant gray green guy halo happy
    harbor harmony harley haven hazel heath heather heaven heritage holly honey hope hunter ice ike
    in india iris ivory ivy jade jan jasmine jet jewel joy joya july june justice kay kelly king kit
    lacy lake land lane laurel lavender legend leaf les liberty lien light lily lincoln line links
    long lot lotus love luck luna luz lynx mac mae magic magnolia maker man maple mar marina mark
    mars marsh mason max may mercy merit merry mi milan miles mina mint misty moon moss my myrtle
    neon north ocean olive opal orange orchid page paris park parker pat patience pearl pearle
    pepper perry petal petunia piedad pine plum pool porsha porter power precious prince princess
    promise queen rain rainbow randy ray red reed reef rex rich river rob robin rock rocky rod rose
    rosebud royal ruby rusty sage salt sandy santa scarlet sea season see serena serenity shade
    shell shelley sherry sierra silver sky skip sol son sonny soon sparkle spring star starr
    sterling stone stormy summer sun sunday sunny sunshine tab tamarind tiffany tiger tile timber
    tiny tower town tracy treasure tree trinity trip troy true tulip turner unity van venus vera
    victory view violet vista walker wall ward water way west whisper white will willow wind windy
    winter wolf wood woody york young buena casa cielo clara clemente consuelo dios domingo dolores
    fe feliz flor gloria leon marina mar marcial mercedes paz pilar primitivo reyes rosa rosado
    santos sol soledad tierra tropical valle ventura virtud eva jen mari fi fidel plas soley dous
    bon kay tan ti rue pak plaj mina sal val una carol pura tam thi tai lan lai les candy joey micah
    christ major fair bobo fanny marsh ester mayra sang tiny
    """
)
"""Given names that are words as well: alone they are none, whatever their capital."""

_KNOWN = COMMON | _NO_PERSONS


class _Lists(NamedTuple):
    """`given`: all given names. `alone`: those that mean a person with a capital and nothing else.
    `sure`: those of the county, which do so in small letters too where a name is likely.
    `starts`: every word with which a name or a cue can begin."""

    given: frozenset[str]
    alone: frozenset[str]
    sure: frozenset[str]
    surnames: frozenset[str]
    cues: frozenset[str]


@lru_cache(maxsize=1)
def _lists() -> _Lists:
    given = (plain_list("census_given_names.txt") | GIVEN_NAMES) - _KNOWN
    alone = frozenset(each for each in given if len(each) > 2) - _WORDS_TOO
    return _Lists(
        given=given,
        alone=alone,
        sure=(GIVEN_NAMES & alone),
        surnames=plain_list("census_surnames.txt") - _KNOWN,
        cues=_TITLES | _RELATIONS | _FAMILIA | _SAYING | _SIGNED,
    )


class _Words(NamedTuple):
    """The words of a shadow: their texts, without the `'s` of a genitive, and where they stand."""

    texts: Sequence[str]
    spans: Sequence[Span]

    def gap(self, shadow: str, at: int) -> str:
        """What stands before the word at `at`."""
        return shadow[self.spans[at - 1][1] : self.spans[at][0]]


def people(reading: Reading) -> Iterator[Span]:
    """The names of people that nothing announces."""
    lists = _lists()
    seen = reading.words
    if (
        seen.isdisjoint(lists.given)
        and seen.isdisjoint(lists.cues)
        and seen.isdisjoint(_SAID)
        and "'s" not in reading.shadow
    ):
        return
    shadow = reading.shadow
    found = list(_WORD.finditer(shadow))
    words = _Words([each.group() for each in found], [each.span() for each in found])
    texts, most = words.texts, len(found)
    given, cues = lists.given, lists.cues
    at = 0
    cue, cue_at = _Cue.NONE, 0
    while at < most:
        text = texts[at]
        if cue and (at - cue_at > _FAR or not _carries(words, shadow, at)):
            cue = _Cue.NONE
        bare = text.removesuffix("'s")
        said = at + 1 < most and texts[at + 1] in _SAID
        if cue or said or bare in given:
            name = _name(reading, words, at, cue, lists)
            if name:
                if not _of_a_thing(shadow, words, at, name, cue):
                    yield words.spans[at][0], name.end
                at = name.after
                # 'Neighbors Ann and Bob'
                joined = cue and at < most and texts[at] in CONJUNCTIONS
                cue, cue_at = (cue if joined else _Cue.NONE), at
                at += bool(joined)
                continue
        if text in cues and (strength := _cue(texts, at)):
            cue, cue_at = strength, at
        elif cue and text not in _LINKS:
            cue = _Cue.NONE
        at += 1


def _carries(words: _Words, shadow: str, at: int) -> bool:
    """Whether what stands before the word at `at` lets a cue say something of it."""
    gap, before = words.gap(shadow, at), words.texts[at - 1]
    if _CUE_GAP.fullmatch(gap):
        return True
    short = before in _TITLES and len(before) <= _SHORT
    return short and _TITLE_GAP.fullmatch(gap) is not None


def _cue(texts: Sequence[str], at: int) -> _Cue:
    """What the word at `at` says of the next."""
    text = texts[at]
    needed = _PAIRS.get(text)
    if needed is not None and not (at and texts[at - 1] in needed):
        return _Cue.NONE
    return _Cue.LISTED if text in _SAYING else _Cue.ANY


class _Found(NamedTuple):
    """Where a name ends in the shadow, the number of the word after it, and how many it has."""

    end: int
    after: int
    parts: int


def _name(reading: Reading, words: _Words, at: int, cue: _Cue, lists: _Lists) -> _Found | None:
    """The name that begins with the word at `at`, if one does."""
    text = words.texts[at].removesuffix("'s")
    if text in _KNOWN or words.texts[at] in _NO_PERSONS or not text[0].isalpha():
        return None
    found = _rest(reading, words, at, lists)
    return found if _begins(reading, words, at, found, cue, lists) else None


def _begins(
    reading: Reading, words: _Words, at: int, found: _Found, cue: _Cue, lists: _Lists
) -> bool:
    """Whether what begins here is a person's, by its words and what stands around them."""
    text = words.texts[at].removesuffix("'s")
    capital = reading.has_capital(words.spans[at][0])
    if text in lists.sure and (cue or found.parts > 1):
        return True
    if text in lists.given and found.parts > 1 and capital:
        return True
    if not capital:
        # 'the hernandez family'
        following = words.texts[found.after] if found.after < len(words.texts) else ""
        return (
            following in _FAMILY
            and text in lists.surnames
            and text not in _WORDS_TOO
            and _NEAR.fullmatch(words.gap(reading.shadow, found.after)) is not None
        )
    if text in lists.alone:
        return True
    following = words.texts[found.after] if found.after < len(words.texts) else ""
    if cue is _Cue.ANY and len(text) > 2 and text not in lists.cues:
        return not following[:1].isdigit() and not _shouted(reading, *words.spans[at])
    listed_too = text in lists.given or (text in lists.surnames and len(text) > 3)
    if cue and listed_too:
        return True
    # Across a mark it is the name that was there which speaks: `Coach [name] says`.
    if not following or not _NEAR.fullmatch(words.gap(reading.shadow, found.after)):
        return False
    if following in _FAMILY:
        return True
    return following in _SPEAKS and listed_too and text not in _WORDS_TOO


def _rest(reading: Reading, words: _Words, at: int, lists: _Lists) -> _Found:
    """How far the name goes that begins at `at`."""
    shadow, texts, spans = reading.shadow, words.texts, words.spans
    end, count = spans[at][1], 1
    if texts[at].endswith("'s"):
        return _Found(end - 2, at + 1, count)
    sure = texts[at] in lists.sure
    after = place = at + 1
    while place < min(len(texts), at + _LONGEST_SPAN) and count < _LONGEST:
        gap = words.gap(shadow, place)
        dotted = len(texts[place - 1]) == 1 and gap.startswith(".")
        if gap not in (" ", "  ") and not dotted:
            break
        text = texts[place].removesuffix("'s")
        capital = reading.has_capital(spans[place][0])
        initial = len(text) == 1 and capital and shadow[spans[place][1] :][:1] == "."
        if text in PARTICLES or initial:
            place += 1
            continue
        if text in _KNOWN or text in _THINGS_AFTER or not text[0].isalpha():
            break
        part = text in lists.surnames or text in lists.alone
        if not capital and not (part and sure and text not in _WORDS_TOO):
            break
        end = spans[place][0] + len(text)
        count += 1
        place += 1
        after = place
        if texts[place - 1] != text:
            break
    return _Found(end, after, count)


def _of_a_thing(shadow: str, words: _Words, at: int, name: _Found, cue: _Cue) -> bool:
    """Whether the words belong to a street, a place, a shop, a pet."""
    texts, after = words.texts, name.after
    owner = texts[after - 1].endswith("'s")
    if after < len(texts) and not owner and _NEAR.fullmatch(words.gap(shadow, after)):
        following = texts[after]
        if following in _THINGS_AFTER or following in _NO_PERSONS:
            return True
    if not at or not _NEAR.fullmatch(words.gap(shadow, at)):
        return False
    before = texts[at - 1]
    if cue is _Cue.NONE and (before[0].isdigit() or before in _THINGS_BEFORE):
        return True
    if cue is _Cue.LISTED and before in _THINGS_BEFORE:
        return True
    recent = range(max(0, at - 4), at)
    return any(texts[each] in _PETS for each in recent) and not _SENTENCE.search(
        shadow, words.spans[recent[0]][0], words.spans[at][0]
    )


def _shouted(reading: Reading, start: int, end: int) -> bool:
    """All in capitals, in a text that has small letters: an office's letters rather than a name."""
    folded = reading.folded
    return folded.text[folded.start(start) : folded.start(end)].isupper()
