"""Where two persons must be different, one person under another spelling is not the second."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.local import identity
from direct311.retention.holds.domain import Hold
from direct311.runtime.access.approvals import NotApprovedError, approve, approvers_of
from direct311.runtime.access.identity import Authenticator, Issuer, UnauthenticatedError
from direct311.runtime.access.rules import Caller
from direct311.runtime.errors import RefusedError
from direct311.runtime.messaging.records import hold_handlers
from direct311.runtime.messaging.state import RecordState
from direct311.schemas import Event
from direct311.schemas import events as ev
from direct311.verifier.note import Signer
from tests.support.county import County, until
from tests.support.identity import services_of
from tests.support.runtime import NOW
from tests.support.submissions import submission
from tests.unit.retention.fakes import START, RetentionUnderTest

pytestmark = pytest.mark.anyio

SPELLINGS = {
    "capitals": ("anna", "ANNA"),
    "a capital": ("anna.lee", "Anna.Lee"),
    "a domain in capitals": ("anna@county.example", "anna@COUNTY.example"),
    "cyrillic letters": ("anna", "\u0430nn\u0430"),
    "greek letters": ("tom", "t\u03bfm"),
    "a cyrillic capital": ("anna", "\u0410nna"),
    "armenian letters": ("tom", "t\u0585m"),
    "wide letters": ("anna", "\uff41\uff4e\uff4e\uff41"),
    "mathematical letters": ("anna", "\U0001d41a\U0001d427\U0001d427\U0001d41a"),
    "circled letters": ("anna", "\u24d0\u24dd\u24dd\u24d0"),
    "small capitals": ("anna", "\u1d00nna"),
    "an accent": ("anna", "\u00e1nna"),
    "an accent of its own": ("anna", "a\u0301nna"),
    "a ligature": ("office", "o\ufb03ce"),
    "a long s": ("susan", "\u017fusan"),
    "a sharp s": ("strasse", "stra\u00dfe"),
    "a dotless i": ("ines", "\u0131nes"),
    "a dotted capital": ("ines", "\u0130NES"),
    "a stroke": ("olo", "\u00f8l\u00f8"),
    "arabic digits": ("agent12", "agent\u0661\u0662"),
    "wide digits": ("agent12", "agent\uff11\uff12"),
    "a mail tag": ("anna@county.example", "anna+2@county.example"),
    "a point": ("anna.lee", "annalee"),
    "a dash of another kind": ("anna-lee", "anna\u2010lee"),
    "a naught for a capital o": ("bill0", "billO"),
    "a naught for a small o": ("bob", "b0b"),
    "a one for a small l": ("bill", "bi1l"),
    "a capital i for a small l": ("bill0", "biIl0"),
    "a capital i for a one": ("agent1", "agentI"),
    "a bar for a small l": ("bill", "bi|l"),
    "rn for m": ("mary", "rnary"),
    "vv for w": ("wanda", "vvanda"),
    "a coptic letter": ("ycu", "\u2ca9cu"),
    "a coptic capital": ("tom", "TO\u2c98"),
    "lisu letters": ("anna", "\ua4eeNNA"),
    "a cherokee capital": ("anna", "ANN\u13aa"),
    "a small cherokee letter": ("scott", "\uabaacott"),
    "squared letters": ("anna", "\U0001f170nna"),
    "letters in circles, filled": ("anna", "\U0001f150nna"),
    "letters of flags": ("anna", "\U0001f1e6nna"),
    "a filled digit": ("agent1", "agent\u2776"),
}
UNSEEN = {
    "a blank behind": "anna ",
    "a blank in front": " anna",
    "a blank within": "an na",
    "a no-break space": "anna\u00a0",
    "an ideographic space": "anna\u3000",
    "a tab": "anna\t",
    "a line end": "anna\n",
    "a null": "anna\x00",
    "an escape": "anna\x1b",
    "a c1 control": "anna\x85",
    "a zero width space": "an\u200bna",
    "a zero width joiner": "anna\u200d",
    "a word joiner": "anna\u2060",
    "a byte order mark": "\ufeffanna",
    "a soft hyphen": "an\u00adna",
    "a direction mark": "anna\u200e",
    "an override": "\u202eanna",
    "an isolate": "anna\u2066",
    "a hangul filler": "anna\u3164",
    "a braille blank": "anna\u2800",
    "a variation selector": "anna\ufe0f",
    "a grapheme joiner": "an\u034fna",
    "a tag": "anna\U000e0041",
    "private use": "anna\ue000",
    "nothing": "",
}

BOTH = [pytest.param(*pair, id=name) for name, pair in SPELLINGS.items()]
BOTH += [pytest.param("anna", text, id=name) for name, text in UNSEEN.items()]


class Claimed(Authenticator):
    """Takes a token for its `sub`."""

    def __init__(self) -> None:
        super().__init__(_NoIssuer(), "https://issuer.test", services_of("retention"))

    async def _decode(self, token: str) -> Mapping[str, Any]:
        return {"sub": token, "roles": ["agent"], "jti": "t"}


class _NoIssuer(Issuer):
    def __init__(self) -> None:
        pass


@pytest.mark.parametrize("sub", [pytest.param(text, id=name) for name, text in UNSEEN.items()])
async def test_a_name_with_what_nobody_sees_is_refused_at_the_door(sub: str) -> None:
    authenticator = Claimed()
    with pytest.raises(UnauthenticatedError):
        await authenticator._one(sub)
    assert (await authenticator._one("anna")).caller.sub == "anna"


NAMES_OF_THE_LOG = {
    "a resident's link": "link:zzz",
    "a link in capitals": "LINK:zzz",
    "a link with a one": "1ink:zzz",
    "a link with a capital i": "Iink:zzz",
    "a link with a cyrillic i": "l\u0456nk:zzz",
    "a link with an accent": "l\u00ednk:zzz",
    "a wide link": "\uff4c\uff49\uff4e\uff4b\uff1azzz",
    "a link with a ratio": "link\u2236zzz",
    "a link with a colon of another kind": "link\ua789zzz",
    "a link in lisu": "\ua4e1INK:zzz",
    "nobody": "unknown",
    "nobody in capitals": "UNKNOWN",
    "nobody with a naught": "unkn0wn",
    "nobody with a cyrillic o": "unkn\u043ewn",
    "nobody with a point": "un.known",
    "a service": "svc:intake",
    "a service with a cyrillic s": "\u0455vc:intake",
    "a service with a cyrillic c": "sv\u0441:intake",
    "a service in capitals": "SVC:INTAKE",
    "a service that nobody knows": "svc:x",
    "a small capital service": "\ua731vc:intake",
    "a client": "svc-intake",
    "a client with a cyrillic s": "\u0455vc-intake",
    "a client with another dash": "svc\u2010intake",
    "a client with a capital i": "svc-Intake",
    "signs alone": "***",
}


@pytest.mark.parametrize("name", NAMES_OF_THE_LOG)
async def test_no_person_has_a_name_that_the_log_gives(name: str) -> None:
    with pytest.raises(UnauthenticatedError):
        await Claimed()._one(NAMES_OF_THE_LOG[name])


@pytest.mark.parametrize("name", [each for each in NAMES_OF_THE_LOG if "dash" not in each])
def test_nor_does_the_development_issuer_give_it(name: str) -> None:
    issuer = identity.Issuer("https://issuer.test", "k", bytes(range(32)))
    with pytest.raises(identity.InvalidPersonError):
        issuer.person_token({"sub": NAMES_OF_THE_LOG[name], "roles": ["agent"]}, "a")


@pytest.mark.parametrize(
    "sub", ["anna", "link.hogan@county.example", "lincoln", "svcarter", "unknown-soldier", "7f3a"]
)
async def test_who_is_called_almost_so_comes_in(sub: str) -> None:
    assert (await Claimed()._one(sub)).caller.sub == sub


def _officer(name: str) -> Caller:
    return Caller(name, ("records_officer",))


@pytest.mark.parametrize(("one", "other"), BOTH)
async def test_nobody_approves_what_they_proposed(one: str, other: str) -> None:
    retention = RetentionUnderTest()
    await retention.eligible("r1")
    made = await retention.review.propose(Caller(one, ("custodian",)), ["r1"], 10, None)
    with pytest.raises(RefusedError) as refused:
        await retention.review.approve(made.disposition_id, _officer(other), made.set_hash or "")
    assert refused.value.code == "same_person"
    assert (
        await retention.review.approve(made.disposition_id, _officer("raul"), made.set_hash or "")
    ).status


@pytest.mark.parametrize(("one", "other"), BOTH)
async def test_nobody_lifts_their_own_hold(one: str, other: str) -> None:
    retention = RetentionUnderTest()
    hold = Hold(
        hold_id="h1",
        name="suit",
        kind="litigation",
        authority="26-1 CA 01",
        placed_by=one,
        placed_at=START,
        record_ids=("r1",),
    )
    await retention.holding.place(hold, Caller(one, ("counsel",)))
    with pytest.raises(RefusedError) as refused:
        await retention.holding.release("h1", _officer(other), "The case was dismissed.")
    assert refused.value.code == "same_person"


@pytest.mark.parametrize(("one", "other"), BOTH)
async def test_no_holder_destroys_on_the_order_of_one_person(one: str, other: str) -> None:
    order = ev.DispositionOrdered(
        record_id="r1",
        version=2,
        order_id="o1",
        items=("234",),
        holders=("intake",),
        custodian=one,
        records_officer=other,
        ordered_at=NOW,
    )
    take = hold_handlers()[ev.DispositionOrdered]
    event: Event[Any] = Event("e", "/direct311/retention", "r1", NOW, order)
    with pytest.raises(Exception, match="one person"):
        await take(RecordState(record_id="r1", version=1), event)
    raul = order.model_copy(update={"records_officer": "raul"})
    told: Event[Any] = Event("e", "/direct311/retention", "r1", NOW, raul)
    assert await take(RecordState(record_id="r1", version=1), told) is not None


NAMES = [
    pytest.param(one, other, id=name)
    for name, (one, other) in SPELLINGS.items()
    if "+" not in other
]


@pytest.mark.parametrize(("one", "other"), NAMES)
def test_one_person_with_two_keys_does_not_approve_rules(
    one: str, other: str, tmp_path: Path
) -> None:
    rules, approvers = tmp_path / "access.yaml", tmp_path / "approvers"
    rules.write_text("access: test\n")
    signers = [Signer(name, Ed25519PrivateKey.generate()) for name in (one, other, "raul")]
    approvers.write_text("".join(f"{each.key}\n" for each in signers))
    for signer in signers[:2]:
        approve("test", rules, signer)
    with pytest.raises(NotApprovedError, match="1 of the 2"):
        approvers_of("test", rules, approvers)
    approve("test", rules, signers[2])
    assert len(approvers_of("test", rules, approvers)) == 2


async def test_two_persons_are_still_two() -> None:
    """The folded form keeps nobody out who has another name."""
    retention = RetentionUnderTest()
    for number, (one, other) in enumerate(
        [
            ("anna", "hanna"),
            ("7f3a-1", "7f3a-2"),
            ("mary.li", "mary.lo"),
            ("emp-1-12", "emp-11-2"),
            ("auth0|51.7", "auth0|5.17"),
            ("elia", "ella"),
            ("\u0438\u0432\u0430\u043d", "anna"),
        ]
    ):
        await retention.eligible(f"r{number}")
        made = await retention.review.propose(Caller(one, ("custodian",)), [f"r{number}"], 10, None)
        done = await retention.review.approve(
            made.disposition_id, _officer(other), made.set_hash or ""
        )
        assert done.records_officer == other


# ---------------------------------------------------------------- on the running stack


@pytest.mark.e2e
async def test_no_other_spelling_lifts_a_hold_and_no_unseen_name_enters(county: County) -> None:
    record_id = await county.accepted(submission(5102))
    order = {
        "name": "Canal",
        "kind": "litigation",
        "authority": "Case 26-114",
        "record_ids": [record_id],
    }
    hold = await county.post("retention", "/v1/holds", order, "counsel", "anna")
    path = f"/v1/holds/{hold['hold_id']}"

    async def placed() -> bool:
        found = await county.get("retention", path, "counsel", "anna")
        return bool(found["state"] == "in_force")

    await until(placed, "the hold is in force")
    why = {"reason": "The case was dismissed."}
    for name in ("ANNA", "Anna", "\u0430nna", "\uff41nna", "\u00e1nna"):
        answer = await county.ask("POST", "retention", f"{path}/release", "counsel", name, why)
        assert answer.status_code == 403, (name, answer.text)
        assert answer.json()["type"].endswith("same_person")
    for name in ("anna\u200b", "anna ", "an\u00adna", "anna\u3164"):
        answer = await county.ask("POST", "retention", f"{path}/release", "counsel", name, why)
        assert answer.status_code == 401, (name, answer.text)
    released = await county.post("retention", f"{path}/release", why, "counsel", "raul")
    assert released["released_by"] == "raul"
