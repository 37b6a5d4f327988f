"""The reviews of one record, one for each disclosure case, without any text of the record.

A review notes which texts were shown, as keyed hashes with their lengths, what was proposed, and
what people decided: items and codes. It is destroyed with the record.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from direct311.intake.review.domain.places import Item, field_of, item_of
from direct311.schemas import Instant, Model, nothing, replaced

MOST_DECISIONS = 2_000
"""The most decisions for one record in one case."""
MOST_RENDERINGS = 50
"""How many renderings of a case a record remembers."""


class ShownText(Model):
    """A text that a reviewer saw. `content`: a keyed hash of it, with its place."""

    length: int
    content: str


class Proposed(Model):
    """An item that the exemption `code` may withhold. `preset`: it counts as withheld until
    somebody whom the exemption names releases it."""

    item: str
    code: str
    preset: bool


class ItemDecision(Model):
    """What a person decided about an item: withheld under `code`, or released (`None`).

    `version`: the version of the record that the person saw. `content`: the keyed hash of the text
    in which the item is.
    """

    item: str
    code: str | None
    decided_by: str
    decided_at: Instant
    version: int
    content: str

    @property
    def of(self) -> Item:
        """The item. Only what is one is stored."""
        found = item_of(self.item)
        if found is None:
            raise ValueError("not an item")
        return found


class Rendered(Model):
    """A rendering that went out: to which class of recipient, the keyed hashes of the texts in it
    by place, and what of them was withheld. `decisions`: the hash of the decisions. `kept`: the
    withheld texts, sealed under the record's key, in base64; empty if nothing was withheld, and in
    renderings from before they were kept."""

    decisions: str
    recipient: str
    at: Instant
    texts: Mapping[str, str]
    withheld: tuple[str, ...]
    kept: str = ""

    def gave_out(self, item: Item, content: str) -> bool:
        """Whether the text of this place went out with the item, or a part of it, in it."""
        if self.texts.get(item.place) != content:
            return False
        return not any(found.covers(item) for each in self.withheld if (found := item_of(each)))


class CaseReview(Model):
    """The review of the record for one case.

    `version`: the record's version when its texts were shown; `content` is a keyed hash of
    everything that the review depends on, which a hold or a message to the reporter is not.
    `registry_version` and `exemptions`: the protection registry and the file of exemptions under
    which the proposals were made. `confirmed`: somebody has said that these decisions are all.
    """

    case_id: str
    kind: str
    version: int
    content: str
    registry_version: int
    exemptions: str
    fields: tuple[str, ...]
    texts: Mapping[str, ShownText] = nothing()
    proposals: tuple[Proposed, ...] = ()
    decisions: tuple[ItemDecision, ...] = ()
    before: tuple[ItemDecision, ...] = ()
    confirmed: bool = False
    renderings: tuple[Rendered, ...] = ()

    def shown(
        self,
        *,
        version: int,
        content: str,
        registry_version: int,
        exemptions: str,
        fields: tuple[str, ...],
        texts: Mapping[str, ShownText],
        proposals: tuple[Proposed, ...],
    ) -> "CaseReview":
        """A copy whose texts, or those of some fields, were shown again. If the record has not
        changed since, its version and the decisions stand. Otherwise, and if there are more fields,
        all must be decided again, and the decisions so far are only offered."""
        if content == self.content and set(fields) <= set(self.fields):
            again = self.proposed_again(fields, proposals, registry_version, exemptions)
            return again.with_texts(texts)
        return replaced(
            self,
            version=version,
            content=content,
            registry_version=registry_version,
            exemptions=exemptions,
            fields=fields,
            texts=texts,
            proposals=proposals,
            decisions=(),
            before=_newest((*self.before, *self.decisions)),
            confirmed=False,
        )

    def with_texts(self, texts: Mapping[str, ShownText]) -> "CaseReview":
        """A copy that knows these texts too."""
        return replaced(self, texts={**self.texts, **texts})

    def proposed_again(
        self,
        fields: Iterable[str],
        proposals: Iterable[Proposed],
        registry_version: int,
        exemptions: str,
    ) -> "CaseReview":
        """A copy with the proposals for these fields under this registry and these exemptions. The
        review counts as made under them only if no other field was left out."""
        seen = set(fields)
        others = [each for each in self.proposals if field_of(each.item) not in seen]
        is_all = seen >= set(self.fields)
        return replaced(
            self,
            proposals=(*others, *proposals),
            registry_version=registry_version if is_all else self.registry_version,
            exemptions=exemptions if is_all else self.exemptions,
        )

    def decided(self, decisions: Iterable[ItemDecision]) -> "CaseReview":
        """A copy with these decisions, in place of earlier ones on the same items."""
        by_item = {each.item: each for each in self.decisions}
        by_item |= {each.item: each for each in decisions}
        return replaced(
            self,
            decisions=tuple(sorted(by_item.values(), key=lambda each: each.of.order)),
            confirmed=True,
        )

    def rendered_by(self, decisions: str) -> tuple[Rendered, ...]:
        """The renderings made of the decisions with this hash; all that are remembered, if none of
        them was."""
        found = tuple(each for each in self.renderings if each.decisions == decisions)
        return found or self.renderings

    def went_out(self, rendered: Rendered) -> "CaseReview":
        """A copy that remembers a rendering."""
        return replaced(self, renderings=(*self.renderings, rendered)[-MOST_RENDERINGS:])

    def knows(self, item: Item) -> bool:
        """Whether the record, as shown, has this item."""
        if item.is_whole:
            return item.place in self.fields_shown or item.place in self.texts
        found = self.texts.get(item.place)
        return found is not None and item.end is not None and item.end <= found.length

    @property
    def fields_shown(self) -> frozenset[str]:
        """The fields of which there is a text."""
        return frozenset(map(field_of, self.texts))

    def content_of(self, item: Item) -> str:
        """The keyed hash of the text in which the item is; of a whole field with several, of
        all."""
        if item.place in self.texts:
            return self.texts[item.place].content
        parts = (
            each.content for place, each in sorted(self.texts.items()) if item.covers(Item(place))
        )
        return sha256(",".join(parts).encode()).hexdigest()

    def parts_of(self, item: Item) -> Sequence[Item]:
        """The places in a field that has several texts."""
        return [found for place in self.texts if item.covers(found := Item(place))]

    def decision_on(self, item: str) -> ItemDecision | None:
        return next((each for each in self.decisions if each.item == item), None)

    def withheld(self) -> tuple[ItemDecision, ...]:
        return tuple(each for each in self.decisions if each.code is not None)

    def undecided(self, fields: Iterable[str] | None = None) -> tuple[str, ...]:
        """The proposed items, in these fields or all, that nobody has decided: neither named by a
        decision nor covered by something withheld. The order is that of the proposals."""
        wanted = set(self.fields if fields is None else fields)
        decided = {each.item for each in self.decisions}
        withheld = [each.of for each in self.withheld()]
        return tuple(
            dict.fromkeys(
                each.item
                for each in self.proposals
                if (found := item_of(each.item))
                and found.field in wanted
                and each.item not in decided
                and not any(one.covers(found) for one in withheld)
            )
        )

    def is_decided(self, fields: Iterable[str] | None = None) -> bool:
        """Whether somebody has confirmed the decisions, and no item in these fields, or in all, is
        open."""
        return self.confirmed and not self.undecided(fields)


class RecordReviews(Model):
    """All reviews of a record. `version` 0: nothing is stored yet."""

    record_id: str
    version: int = 0
    cases: Mapping[str, CaseReview] = nothing()

    def with_case(self, review: CaseReview) -> "RecordReviews":
        """A copy with this review of its case."""
        return replaced(self, cases={**self.cases, review.case_id: review})

    def written(self) -> "RecordReviews":
        """The state as it will be stored."""
        return replaced(self, version=self.version + 1)

    def offered(self, review: CaseReview) -> tuple[ItemDecision, ...]:
        """The newest earlier decisions on items whose text is the same now: of this case, and of
        other cases of the same kind or of public records. Nothing else may show that there was a
        case of law enforcement."""
        others = (
            each
            for case_id, each in self.cases.items()
            if case_id != review.case_id and each.kind in (review.kind, PUBLIC)
        )
        found = [*review.before, *(one for each in others for one in each.decisions)]
        return tuple(
            each
            for each in _newest(found)
            if review.decision_on(each.item) is None
            and review.knows(each.of)
            and review.content_of(each.of) == each.content
        )

    def gave_out(self, review: CaseReview, item: Item) -> bool:
        """Whether an earlier rendering of a case that this one may know gave out the item."""
        parts = [item] if item.place in review.texts else review.parts_of(item)
        return any(
            rendered.gave_out(part, review.content_of(part))
            for each in self.cases.values()
            if each.kind in (review.kind, PUBLIC)
            for rendered in each.renderings
            for part in parts
        )


PUBLIC = "public_records"
"""The kind of cases whose decisions other cases may see."""


def _newest(decisions: Iterable[ItemDecision]) -> tuple[ItemDecision, ...]:
    """The newest decision on each item."""
    found: dict[str, ItemDecision] = {}
    for each in sorted(decisions, key=lambda each: each.decided_at):
        found[each.item] = each
    return tuple(sorted(found.values(), key=lambda each: each.of.order))[:MOST_DECISIONS]
