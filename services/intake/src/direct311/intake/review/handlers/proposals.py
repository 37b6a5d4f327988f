"""What of a record's texts the county's exemptions may withhold.

Names, telephone numbers and e-mail addresses of an ordinary reporter are public in Florida, so
finding one proposes nothing. What the protection registry recognizes does (section 119.071(4)(d),
F.S.), and so do social-security, bank and card numbers, and a call for help in an emergency.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from direct311.intake.county import day_of
from direct311.intake.indexes.handlers.places import home_values, own_point, point_values
from direct311.intake.indexes.ports import Addresses, PersonIndexes, Protections
from direct311.intake.request import SUPERSEDED, ServiceRequest
from direct311.intake.review.domain.places import Entry, FieldTexts, Item
from direct311.intake.review.domain.reviews import PUBLIC, Proposed
from direct311.intake.review.handlers.minimise import LAW_ENFORCEMENT, others_in
from direct311.redaction import Kind, redact
from direct311.runtime.access.exemptions import Exemption, Exemptions, Trigger
from direct311.runtime.clock import Clock
from direct311.runtime.errors import RefusedError, TransientError
from direct311.runtime.pacing import paced

PERSON = ("first_name", "last_name", "email", "phone", "reporter_address", "device_position")
"""The fields that say who and where the reporter is."""
WHERE = ("phone", "reporter_address", "device_position")
"""What is exempt of a protected person, whatever the registry recognized them by."""
NAMES = ("first_name", "last_name")
NUMBERS: Mapping[Kind, Trigger] = {
    "social_security": "social_security_number",
    "card": "bank_or_card_number",
    "bank": "bank_or_card_number",
}
Spans = Mapping[str, Sequence[tuple[int, int, Kind]]]
"""What the redaction library finds in each text, by place."""
MOST_ADDRESSES = 60
"""The most parts of a record's texts that geo is asked to read as an address."""

_HOUSE = re.compile(r"(?<![\w.,-])\d{1,6}[A-Za-z]?(?=[ \t]+[^\W_])")
_WORD = re.compile(r"[ \t]+([\w.'/-]*\w)")
_MOST_WORDS = 6
_STREET = re.compile(
    r"(?:st|str|street|ave?|avenue|avenida|blvd|boulevard|calle|cir|circle|ct|court|dr|drive|hwy"
    r"|highway|ln|lane|loop|path|pkwy|parkway|pl|place|rd|road|ter|terr|terrace|trail|way"
    r"|\d+(?:st|nd|rd|th)?)\.?",
    re.IGNORECASE,
)


class Propose:
    """Finds what may be withheld in texts that are open anyway."""

    def __init__(
        self,
        exemptions: Exemptions,
        protections: Protections,
        indexes: PersonIndexes,
        addresses: Addresses,
        clock: Clock,
    ) -> None:
        self.exemptions = exemptions
        self._protections = protections
        self._indexes = indexes
        self._addresses = addresses
        self._clock = clock

    @property
    def registry_version(self) -> int:
        """The version of the registry by which proposals are made now."""
        return self._protections.version

    @property
    def today(self) -> date:
        """The day of the county's calendar."""
        return day_of(self._clock.now())

    async def __call__(
        self, request: ServiceRequest, fields: Sequence[FieldTexts], kind: str = PUBLIC
    ) -> tuple[Proposed, ...]:
        """The proposals, in the order of places and positions, each once.

        :param kind: of the case. What an instrument of law enforcement opens goes out whatever the
            exemptions say; proposed is what tells about somebody else.

        :raises RefusedError: geo, which reads addresses, does not answer; or the texts have too
            many parts that may be addresses.
        """
        texts = [each for one in fields for each in one.entries]
        # A record may have hundreds of texts, and others are waiting.
        spans = {each.place: redact(each.text).spans async for each in paced(texts)}
        if kind == LAW_ENFORCEMENT:
            found = list(self._others(request, fields, spans))
        else:
            found = [
                *await self._protected(request, fields, spans),
                *self._numbers(fields, spans),
                *self._emergency(request, fields),
            ]
        once = {(item, exemption.code): exemption for item, exemption in found}
        return tuple(
            Proposed(item=str(item), code=code, preset=exemption.preset)
            for (item, code), exemption in sorted(
                once.items(), key=lambda pair: (pair[0][0].order, pair[0][1])
            )
            if item.field in exemption.fields
        )

    def _exemption(self, trigger: Trigger) -> Exemption | None:
        return self.exemptions.for_trigger(trigger, self.today)

    # -- law enforcement

    def _others(
        self, request: ServiceRequest, fields: Sequence[FieldTexts], spans: Spans
    ) -> Iterator[tuple[Item, Exemption]]:
        """:raises RefusedError: no code is in force for them, so nobody could leave them out."""
        exemption = self.exemptions.for_trigger("other_person", self.today, LAW_ENFORCEMENT)
        if exemption is None:
            raise RefusedError(
                "exemption", "No code is in force for what an instrument does not cover."
            )
        for item in others_in(request, fields, spans, self._indexes, PERSON):
            yield item, exemption

    # -- protected persons

    async def _protected(
        self, request: ServiceRequest, fields: Sequence[FieldTexts], spans: Spans
    ) -> Iterable[tuple[Item, Exemption]]:
        exemption = self._exemption("protected_person")
        if exemption is None:
            return ()
        items = await self._contact(request, fields)
        for field in fields:
            if field.field not in PERSON:
                items += self._persons_in(field, spans)
                items += self._points_in(field)
        texts = [each for one in fields if one.field not in PERSON for each in one.entries]
        items += await self._addresses_in(texts, spans)
        return ((item, exemption) for item in items)

    async def _contact(self, request: ServiceRequest, fields: Sequence[FieldTexts]) -> list[Item]:
        """The reporter's own fields. If the registry knows the reporter by any of them, by a value
        that was corrected, or by a home that geo could not read yet, what is exempt of a protected
        person is proposed whole."""
        plain = {each.field: each.entries[0].text for each in fields if each.field in PERSON}
        names = {field: plain[field] for field in NAMES if field in plain}
        known = {
            "email": {"email": plain["email"]} if "email" in plain else {},
            "phone": {"phone": plain["phone"]} if "phone" in plain else {},
            "name": names,
        }
        items = []
        for kind, given in known.items():
            # The index also has what the grant does not open, such as the other half of a name.
            hashes = request.indexes.get(kind, ())
            if given and (self._known(given) or self._protections.matches(hashes)):
                items += [Item(field) for field in given]
        if "reporter_address" in plain and await self._is_home(plain["reporter_address"]):
            items.append(Item("reporter_address"))
        if "device_position" in plain and self._is_point(plain["device_position"]):
            items.append(Item("device_position"))
        kinds = ("phone", "email", "name", "home", SUPERSEDED)
        indexed = (value for kind in kinds for value in request.indexes.get(kind, ()))
        is_protected = bool(items) or self._protections.matches(indexed)
        if is_protected or request.home_unread_at is not None:
            items += [Item(field) for field in WHERE if field in plain]
        return items

    def _persons_in(self, field: FieldTexts, spans: Spans) -> list[Item]:
        """Telephone numbers, e-mail addresses and names in texts."""
        kinds: Mapping[Kind, str] = {"telephone": "phone", "email": "email", "name": "first_name"}
        items = []
        for entry in field.entries:
            for start, end, kind in spans[entry.place]:
                if kind in kinds and self._known({kinds[kind]: entry.text[start:end]}):
                    items.append(Item(entry.place, start, end))
            if field.field == "update_contacts":
                name = entry.place.rpartition("/")[2]
                if name in PERSON and self._known({name: entry.text}):
                    items.append(Item(entry.place))
        return items

    def _points_in(self, field: FieldTexts) -> list[Item]:
        # Where in the text the coordinates are is not known, so all of it is proposed.
        return [Item(each.place) for each in field.entries if self._is_point(each.text)]

    async def _addresses_in(self, texts: Sequence[Entry], spans: Spans) -> list[Item]:
        items: list[Item] = []
        asked = 0
        for entry in texts:
            announced = [
                (start, [end]) for start, end, kind in spans[entry.place] if kind == "home_address"
            ]
            for start, ends in (*announced, *_houses(entry.text)):
                for end in ends:
                    asked += 1
                    if asked > MOST_ADDRESSES:
                        raise RefusedError(
                            "too_many",
                            f"The texts have more than {MOST_ADDRESSES} parts that may be "
                            "addresses. Ask for a grant with fewer fields.",
                        )
                    if await self._is_home(entry.text[start:end]):
                        items.append(Item(entry.place, start, end))
                        break
        return items

    async def _is_home(self, address: str) -> bool:
        """Whether the registry knows the address, in any of geo's readings."""
        hashes = [*self._indexes.place(address, None, None)]
        if not self._protections.matches(hashes):
            try:
                read = await self._addresses.normalise(address)
            except TransientError:
                raise RefusedError(
                    "geo_unavailable", "Addresses cannot be read now; try again.", retry_after=5
                ) from None
            if read is None:
                return False
            hashes += home_values(self._indexes.place, read)
            if (point := own_point(read)) is not None:
                hashes += self._indexes.place(None, *point)
        return self._protections.matches(hashes)

    def _is_point(self, text: str) -> bool:
        return self._protections.matches(point_values(self._indexes.place, text))

    def _known(self, plain: Mapping[str, str]) -> bool:
        values = self._indexes.of(plain).values()
        return self._protections.matches(value for some in values for value in some)

    # -- numbers and flags

    def _numbers(
        self, fields: Sequence[FieldTexts], spans: Spans
    ) -> Iterator[tuple[Item, Exemption]]:
        found = {trigger: self._exemption(trigger) for trigger in NUMBERS.values()}
        for field in fields:
            for entry in field.entries:
                for start, end, kind in spans[entry.place]:
                    if kind in NUMBERS and (exemption := found[NUMBERS[kind]]) is not None:
                        yield Item(entry.place, start, end), exemption

    def _emergency(
        self, request: ServiceRequest, fields: Sequence[FieldTexts]
    ) -> Iterator[tuple[Item, Exemption]]:
        exemption = self._exemption("emergency_call")
        if exemption is not None and request.emergency_assistance:
            for field in fields:
                if field.field in (*PERSON, "account_id", "device_id", "client_address"):
                    yield Item(field.field), exemption


def _houses(text: str) -> Iterator[tuple[int, Sequence[int]]]:
    """Parts of a text that may be an address: from a house number to a word for a street or the
    number of one. For each house number: where it begins, and the ends, longest part first."""
    for house in _HOUSE.finditer(text):
        ends, at = [], house.end()
        for _ in range(_MOST_WORDS):
            word = _WORD.match(text, at)
            if word is None:
                break
            at = word.end()
            if _STREET.fullmatch(word[1]):
                ends.append(at)
        yield house.start(), ends[::-1]
