"""The words that the rules use: labels of other numbers, common words, given names.

English, Spanish and Haitian Creole; lower case, without accents, as a shadow has them. They are in
`data/words.yaml`, read once.
"""

import re

from direct311.redaction.datafile import Data, Ordered, Words, load, packaged


def listed(text: str) -> frozenset[str]:
    """The words of a text as a set."""
    return frozenset(text.split())


class _File(Data):
    """The lists, and the labels as alternatives of their patterns."""

    words: str
    version: str
    other_labels: Ordered
    utility_labels: Ordered
    titles: Words
    particles: Words
    conjunctions: Words
    common: Words
    given_names: Words
    names_too: Words
    things_with_names: Words
    street_types: Words
    directions: Words
    city_words: Words
    articles: Words
    address_ends: Words


_file = load(_File, packaged("words.yaml"))

OTHER_LABEL = re.compile(
    rf"(?<![a-z])(?:{'|'.join(_file.other_labels)})s?"
    r"(?:[ \t:#.,\-]{0,3}(?:number|num|no|nbr|nr|numero|nimewo|id|is|was|es|era|de|code|service"
    r"|for|on|the)){0,4}[ \t:#.,\-(]{0,3}(?:[a-z]{1,4}-?)?$"
)
"""Labels before a number that is neither a person's nor a bank's."""

UTILITY_LABEL = re.compile(
    rf"(?<![a-z])(?:{'|'.join(_file.utility_labels)})"
    r"(?:[ \t:#.,\-]{1,3}[a-z]{1,9}){0,2}[ \t]{0,2}$"
)
"""Labels before an account that is not a bank account."""

TITLES = _file.titles
PARTICLES = _file.particles
CONJUNCTIONS = _file.conjunctions
COMMON = _file.common
"""Words that end a name and never begin one."""
GIVEN_NAMES = _file.given_names
"""Given names common in the county: followed by one of them, even a weak form announces a name."""
NAMES_TOO = _file.names_too
"""Common words that are names as well."""
THINGS_WITH_NAMES = _file.things_with_names
"""Things that have names but are not people."""
STREET_TYPES = _file.street_types
DIRECTIONS = _file.directions
CITY_WORDS = _file.city_words
"""Words that may follow a comma within an address."""
ARTICLES = _file.articles
ADDRESS_ENDS = _file.address_ends
"""Words that no address contains, so an address ends before them."""
