"""Where the canaries go in: every field, header, file and mistake that the gateway takes."""

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import httpx

from deploy.local.stack import Stack
from tests.support.app_api import NOTICE, App, mailed, order, text_of
from tests.support.canaries import Canary
from tests.support.county import County, Document, entering, until
from tests.support.disposition import record
from tests.support.submissions import ENFORCEMENT, KENDALL, photo, submission

# ---------------------------------------------------------------- who must never be found

PERSON = {
    "first_name": "Oktavija",
    "last_name": "Pfefferkorn-Ybarra",
    "email": "o.pfefferkorn@canary.example",
    "phone": "786-555-0137",
    "account_id": "account-of-ybarra-5517",
    "device_id": "device-kwx-90217-ybarra",
}
ADDRESS = "4417 Xanthippe Terrace Apt 9"
LINK = "https://photos.example/u/quillonquist/IMG_0042.jpg"

SEALED = [
    *(Canary(f"sealed {name}", text) for name, text in PERSON.items() if name != "phone"),
    Canary("sealed phone", PERSON["phone"], ("7865550137", "+17865550137", "(786) 555-0137")),
    Canary("sealed address", ADDRESS),
    Canary("sealed link", LINK),
]
"""The contact fields of Open311, and what else is sealed at once."""

TEXTS: Sequence[tuple[str, str, str, tuple[str, ...]]] = (
    ("e-mail", "Write to {} for photos.", "tamsin.orlogg@canary.example", ()),
    ("spelled e-mail", "mail: {}", "wurzelgruber at canary dot example", ("wurzelgruber",)),
    ("Spanish e-mail", "mi correo es {}", "zacatenco arroba canario punto com", ("zacatenco",)),
    ("telephone", "Call me at {} after six.", "305-555-0171", ("3055550171",)),
    ("bare telephone", "{} is my number", "3055550172", ()),
    ("telephone with country", "tel {} please", "+1 (786) 555-0173", ("7865550173",)),
    ("short telephone", "call {} in the evening", "555-0174", ()),
    ("Creole telephone", "rele m nan {}", "305 555 0175", ("3055550175",)),
    ("card", "I paid with {} at the counter", "4012 8888 8888 1881", ("4012888888881881",)),
    ("social-security number", "my SSN is {}", "219-09-9999", ("219099999",)),
    ("bank account", "account number {} was charged", "000987654321987", ()),
    ("IBAN", "IBAN {}", "DE89 3704 0044 0532 0130 00", ("DE89370400440532013000",)),
    ("my name is", "My name is {} and the light is out.", "Brunhilde Ostracelli", ("Ostracelli",)),
    ("this is", "This is {} calling about a dog.", "Cuthbert Vanderquist", ("Vanderquist",)),
    ("I live at", "I live at {} and a dog barks.", "8847 Quimbaya Street", ()),
    ("me llamo", "Me llamo {}, hay basura.", "Xochiquetzal Urrabieta", ("Urrabieta",)),
    ("mwen rele", "Mwen rele {}.", "Dieujuste Tassaroux", ("Tassaroux",)),
)
"""Forms that the redaction rules promise to catch: name, sentence, who, and parts of it."""

TEXT = [Canary(f"text: {name}", who, forms) for name, _, who, forms in TEXTS]

ANSWER_PHONE = "786-555-0181"
ANSWERS = [Canary("answer's telephone", ANSWER_PHONE, ("7865550181",))]

PHOTO_WORDS = "Foto de Melusina Grawebrecht"
PHOTO_AT = ((25, 31, 47_119), (80, 33, 58_321))
PHOTO = [
    Canary("photo's words", PHOTO_WORDS),
    Canary(
        "photo's position",
        "25.529755",
        (
            "-80.549533",
            *(
                (number.to_bytes(4, order) + (1000).to_bytes(4, order)).strip(b"\0")
                for number in (PHOTO_AT[0][2], PHOTO_AT[1][2])
                for order in ("big", "little")
            ),
        ),
    ),
]

AROUND = {
    "file name": "Kasimir Wolkenstein zuhause.jpg",
    "content type": "wolkenstein-im-garten",
    "idempotency key": "hubertine.falkenrath@canary.example",
    "client request id": "request-of-falkenrath-8852",
    "unknown field": "Nachtigall Persephone",
    "user agent": "Browser of Eberhardina",
    "forwarded for": "198.51.100.217",
    "cookie": "visitor-wenzeslaus-31",
    "query": "leopoldine.query@canary.example",
    "path": "ottokar-in-the-path",
}
"""What comes with a submission beside its fields."""
ASIDE = [Canary(f"aside: {name}", text) for name, text in AROUND.items()]

WRONG = "Theodolinde Krummbiegel"
BAD = [Canary("in bad requests", WRONG, ("Theodolinde", "Krummbiegel"))]

STAFF = {
    "search by phone": "754-555-0191",
    "search by e-mail": "suchbild@canary.example",
    "search by name": "Walburga Suchomel",
    "protected phone": "754-555-0192",
    "protected name": "Adelgunde Schutzbefohlen",
    "protected address": "9931 Zinnober Circle",
    "justification": "754-555-0193",
}
ASKED = [
    Canary(f"staff: {name}", text, (text.replace("-", ""),) if text[0].isdigit() else ())
    for name, text in STAFF.items()
]

CORRECTED = {
    "last_name": "Umlauf-Berichtigt",
    "email": "b.umlauf@canary.example",
    "phone": "754-555-0195",
}
OWN = [
    *(Canary(f"corrected {name}", text) for name, text in CORRECTED.items() if name != "phone"),
    Canary("corrected phone", CORRECTED["phone"], ("7545550195", "+17545550195")),
]
"""What the resident says instead, by the signed link."""

COMMENT = {
    "update_id": "update-of-rosalinde-4471",
    "first_name": "Rosalinde",
    "last_name": "Zwischenruf-Alvarado",
    "email": "r.zwischenruf@canary.example",
    "phone": "754-555-0197",
    "account_id": "account-of-zwischenruf-88",
    "media_url": "https://photos.example/u/zwischenruf/2.jpg",
}
COMMENT_PHONE = "754-555-0198"
COMMENTS = [
    *(
        Canary(f"update's {name}", text)
        for name, text in COMMENT.items()
        if name not in ("phone", "first_name")
    ),
    Canary("update's phone", COMMENT["phone"], ("7545550197",)),
    Canary("telephone in an update", COMMENT_PHONE, ("7545550198",)),
]
"""What somebody adds to a request through a client."""

SAID_LATER = {
    "comment": "My name is Hildegund Nachsommer, call me at 754-555-0196.",
    "code asked for": "hildegund.code@canary.example",
    "code tried": "Kodewort-Rosamunde",
    "app": "Rosamundes Telefon 17",
    "file type": "rosamunde/urlaubsbild",
}
LATER = [
    Canary("comment's name", "Hildegund Nachsommer", ("Nachsommer",)),
    Canary("comment's telephone", "754-555-0196", ("7545550196",)),
    *(Canary(name, text) for name, text in SAID_LATER.items() if name != "comment"),
]
"""What comes through the app's own API, rightly and wrongly."""

NOTE = {
    "name": "Notburga Zettelkasten",
    "phone": "754-555-0186",
    "email": "n.zettelkasten@canary.example",
}
STRANGE = {
    "note on another's job": "754-555-0187",
    "body of no event": "Waldtraut-Ohneform",
    "field of no event": "Irmengard-Ohnenamen",
}
BY_DEPARTMENTS = [
    *(Canary(f"note's {name}", text) for name, text in NOTE.items() if name != "phone"),
    Canary("note's phone", NOTE["phone"], ("7545550186",)),
    *(Canary(name, text) for name, text in STRANGE.items()),
]
"""What a department writes: it lies on the topic that the department itself writes, and nowhere
else."""

BROKEN = Canary("in a message that cannot be read", "Kunigunde-Unlesbar")
"""It lies where it was sent, and in nothing that tells of it."""

REQUESTER = {
    "name": "Ottoline Zwetschgenbaum",
    "email": "o.zwetschgenbaum@canary.example",
    "phone": "786-555-0186",
    "address": "9918 Marmalade Crescent",
}
"""Who asks for records, and says how to reach them."""
CASE_WORDS = "all complaints about the Quibblethorpe family of Marzipan Court"
CASE_LETTER = b"%PDF-1.7 We, the firm of Hasenpfeffer-Nightingale, ask for records."
CASE_QUESTION = "Do you mean the Birnbaum-Trolley affair?"
CASE_ANSWER = "Yes, and what Wendelgard Ostrovny said of it."
SCOPE_NAME, SCOPE_ADDRESS = "Gisbert Kranewitter", "551 Pomegranate Hollow"
SCOPE_WORD = "schnickschnack-bescherung"
SCOPE = {
    "person": {"name": SCOPE_NAME},
    "place": {"address": SCOPE_ADDRESS},
    "words": [SCOPE_WORD],
}
"""What both sides write, and what a custodian looks for."""
CASE_STATEMENT = "We have no records about the Brambleshanks-Oyelaran family."
CASES = [
    *(Canary(f"requester's {name}", text) for name, text in REQUESTER.items() if name != "phone"),
    Canary("requester's phone", REQUESTER["phone"], ("7865550186", "+17865550186")),
    Canary("words of a case", CASE_WORDS, ("Quibblethorpe", "Marzipan Court")),
    Canary("letter of a case", "Hasenpfeffer-Nightingale"),
    Canary("question of a case", CASE_QUESTION, ("Birnbaum-Trolley",)),
    Canary("answer of a case", CASE_ANSWER, ("Wendelgard Ostrovny",)),
    Canary("person of a scope", SCOPE_NAME),
    Canary("address of a scope", SCOPE_ADDRESS),
    Canary("words of a scope", SCOPE_WORD),
    Canary("statement of a denial", CASE_STATEMENT, ("Brambleshanks",)),
]
"""What lies in a case file of the case desk."""

NEVER = [
    *SEALED,
    *TEXT,
    *ANSWERS,
    *PHOTO,
    *ASIDE,
    *BAD,
    *ASKED,
    *OWN,
    *COMMENTS,
    *LATER,
    *CASES,
]

# ---------------------------------------------------------------- who must be found

CONTROL = Canary("control", "77 Leuchtturmwarte Esplanade")
"""A place is public, so it travels in clear."""

# ---------------------------------------------------------------- who may slip through

RUNNING_NAMES = [
    Canary(f"running name {number}", name)
    for number, name in enumerate(
        (
            "Cornelius Habsheim",
            "Wilhelmina Prautzsch",
            "Baldassare Quintavalle",
            "Yevdokiya Strelbo",
        )
    )
]
RUNNING = (
    "{} from next door keeps dumping paint",
    "the tree belongs to {}",
    "I told {} at the office last week",
    "ask for {} at the gate",
)


async def plant(stack: Stack, answers: Path) -> Document:
    """Everything through the gateway, until it has gone its way; error answers go into `answers`.

    The record that lives (`kept`), the one that waits for its destruction (`doomed`), and the
    signed links that were given (`links`).
    """
    async with entering(stack) as county:
        kept = await _submissions(county)
        doomed = await county.accepted(
            submission(2) | PERSON | {"client_request_id": "doomed"},
            [("a.jpg", photo(PHOTO_WORDS, *PHOTO_AT), "image/jpeg")],
        )
        await _comments(county, kept, answers)
        await _mistakes(county, answers)
        await _staff(county, kept, answers)
        await _case_desk(county, kept, answers)
        await _correspondence(county, answers)
        await _legal_process(county, answers)
        links = await _residents(county, kept, answers)
        links += await _app(county, kept, links[1], answers)
        for record_id in (kept, doomed):
            await county.routed(record_id)
            await until(partial(_has_photo, county, record_id), "the photo is published")
        await _departments(county, kept)
        await _settled(county)
        return {"kept": kept, "doomed": doomed, "links": links}


async def _submissions(county: County) -> str:
    jpeg = photo(PHOTO_WORDS, *PHOTO_AT)
    fields = {
        **submission(1),
        **PERSON,
        **KENDALL,
        "address_string": CONTROL.text,
        "media_url": LINK,
        "nickname": AROUND["unknown field"],
        "user[name]": AROUND["unknown field"],
        "device_lat": "25.529755",
        "device_long": "-80.549533",
        "client_request_id": AROUND["client request id"],
    }
    kept = await county.accepted(
        fields,
        [
            (
                AROUND["file name"],
                jpeg,
                f'image/jpeg; name="{AROUND["content type"]}"',
            )
        ],
        headers={
            "Idempotency-Key": AROUND["idempotency key"],
            "User-Agent": AROUND["user agent"],
            "X-Forwarded-For": AROUND["forwarded for"],
            "Cookie": f"visit={AROUND['cookie']}",
        },
    )
    await county.accepted(
        submission(3, ENFORCEMENT) | PERSON | {"attribute[REPORTER_ADDRESS]": ADDRESS}
    )
    await county.accepted(
        submission(4, "ANI-LOST-PET", reported=False)
        | {
            "attribute[PET_DESCRIPTION]": f"My name is Oktavija Pfefferkorn-Ybarra. {ANSWER_PHONE}",
            "attribute[TAG_NUMBER]": ANSWER_PHONE,
        }
    )
    for number, (_, sentence, who, _) in enumerate(TEXTS):
        await county.accepted(
            submission(10 + number, reported=False, description=sentence.format(who))
        )
    for number, (sentence, name) in enumerate(zip(RUNNING, RUNNING_NAMES, strict=True)):
        await county.accepted(
            submission(50 + number, reported=False, description=sentence.format(name.text))
        )
    # What was accepted may be asked for with anything behind the question mark.
    query = {"email": AROUND["query"], "first_name": WRONG}
    await county.open311("requests.json", **query)
    await county.open311(f"requests/{kept}.xml", **query)
    return kept


async def _comments(county: County, record_id: str, answers: Path) -> None:
    """What is added through a client, rightly and wrongly, and the list of it."""
    url = f"{county.known.services['intake']}/open311/v2/servicerequestupdates"
    form = {
        **COMMENT,
        "api_key": county.known.api_keys["app"],
        "service_request_id": record_id,
        "status": "OPEN",
        "description": f"Still there. Call me at {COMMENT_PHONE}.",
    }
    found = [await county.http.post(f"{url}.json", data=form) for _ in range(2)]
    assert [answer.status_code for answer in found] == [200, 200], found[0].text
    for field in ("status", "update_id", "service_request_id", "email", "updated_datetime"):
        wrong = {**form, field: f"{WRONG}\x07"}
        found.append(await county.http.post(f"{url}.xml", data=wrong))
    found.append(await county.http.post(f"{url}.json", data={**form, "description": WRONG}))
    found += [await county.http.get(f"{url}.{kind}") for kind in ("json", "xml")]
    found.append(await county.http.get(f"{url}.xml", params={"start_date": WRONG}))
    _keep(answers, "update", found)


async def _mistakes(county: County, answers: Path) -> None:
    """All that is refused; what was answered is kept, to be searched like everything else."""
    changes = [
        {name: WRONG}
        for name in (
            "service_code",
            "jurisdiction_id",
            "lat",
            "email",
            "media_url",
            "policy_version",
            "client_request_id",
            "attribute[SIZE]",
            "attribute[DOG_COUNT]",
            f"attribute[{WRONG}]",
            "attribute[LAST_SEEN]",
        )
    ]
    changes += [
        {"description": f"{WRONG}\x00"},
        {"description": WRONG * 400},
        {"first_name": WRONG * 20},
        {"address_string": WRONG * 20},
        {"phone": f"{WRONG}\x07"},
    ]
    bodies = (
        ("application/json", f'{{"first_name": "{WRONG}"}}'),
        ("multipart/form-data; boundary=x", f"--x\r\nname={WRONG}"),
        ("multipart/form-data", WRONG),
        ("text/plain", WRONG),
        ("application/x-www-form-urlencoded", f"lat=%zz&{WRONG}=%00"),
    )
    parameters = ("start_date", "status", "bbox", "page", "jurisdiction_id")
    paths = (f"requests/{AROUND['path']}", f"tokens/{WRONG}", f"services/{WRONG}")
    key = {"Idempotency-Key": WRONG * 20}
    found: list[httpx.Response] = []
    for form in ("json", "xml"):
        url = f"{county.known.services['intake']}/open311/v2/requests.{form}"
        calls = [county.submit({**submission(5), **change}, form=form) for change in changes]
        calls += [
            county.submit(submission(5, api_key=WRONG), client=None, form=form),
            county.submit(submission(5), headers=key, form=form),
        ]
        calls += [county.open311(f"{path}.{form}") for path in paths]
        calls += [county.open311(f"requests.{form}", **{name: WRONG}) for name in parameters]
        calls += [
            county.http.post(url, content=body, headers={"Content-Type": kind})
            for kind, body in bodies
        ]
        found += [await call for call in calls]
    found.append(await county.open311(f"{AROUND['path']}/{WRONG}"))
    _keep(answers, "mistake", found)
    assert {answer.status_code for answer in found} <= {400, 403, 404}, [
        (answer.status_code, answer.url.path) for answer in found
    ]


async def _staff(county: County, record_id: str, answers: Path) -> None:
    """What staff ask, rightly and wrongly. What they are rightly told is not kept."""
    said = f"the resident called from {STAFF['justification']}"
    right = await county.read_contact(record_id, "agent", "olga", justification=said)
    assert right.json()["fields"]["first_name"] == PERSON["first_name"], right.text
    found = [
        await county.read_contact(record_id, "department:parks", "pit", justification=said),
        await county.read_contact(record_id, "agent", "olga", fields=[WRONG]),
        await county.read_contact(WRONG.split()[0], "agent", "olga"),
    ]
    for field in ("phone", "email", "name"):
        text = STAFF[f"search by {field.replace('email', 'e-mail')}"]
        question = {"purpose": "respond", field: text, "justification": said}
        path = "/internal/persons/resolve"
        found += [
            await county.ask("POST", "intake", path, "agent", "olga", body)
            for body in (question, {**question, "extra": WRONG}, {"purpose": WRONG})
        ]
    order = {"reference": "PR-9", "citation": "section 119.071(4)(d), F.S."}
    for kind in ("phone", "name", "address"):
        body = order | {kind: STAFF[f"protected {kind}"]}
        found.append(
            await county.ask("POST", "intake", "/v1/protections", "custodian", "carla", body)
        )
    found.append(
        await county.ask(
            "POST", "intake", "/v1/protections", "custodian", "carla", order | {"phone": WRONG}
        )
    )
    for service in county.stack.services:
        found.append(await county.ask("GET", service, f"/v1/{AROUND['path']}", "agent", "olga"))
        found.append(
            await county.ask("GET", service, "/v1/counts", None, params={"q": AROUND["query"]})
        )
    _keep(answers, "staff", found)
    assert all(answer.status_code < 500 for answer in found)


async def _case_desk(county: County, record_id: str, answers: Path) -> None:
    """A case with its letter, opened and read, and answers to wrong questions. What the desk is
    rightly told is not kept."""
    # Without bounds it would stop the destruction that is looked for next.
    bounds = {"record_ids": [record_id]}
    await until(partial(record, county, record_id), "the inventory has the record")
    order = {
        "kind": "public_records",
        "request": CASE_WORDS,
        "contact": REQUESTER,
        "bounds": bounds,
    }
    made = await county.post("retention", "/v1/cases", order, "custodian", "carla")
    case = f"/v1/cases/{made['case_id']}"
    letter = f"{case}/documents/{hashlib.sha256(CASE_LETTER).hexdigest()}"
    other = f"{case}/documents/{'0' * 64}"

    async def put(path: str, kind: str) -> httpx.Response:
        return await county.ask(
            "PUT",
            "retention",
            path,
            "custodian",
            "carla",
            content=CASE_LETTER,
            params={"kind": kind},
        )

    found = [await put(letter, "letter"), await put(other, "letter"), await put(other, WRONG)]
    assert found[0].status_code == 200, found[0].text
    read = await county.get("retention", case, "custodian", "carla")
    assert (read["request"], read["contact"]) == (CASE_WORDS, REQUESTER)
    document = await county.ask("GET", "retention", letter, "custodian", "carla")
    assert document.content == CASE_LETTER
    for role in ("liaison", "auditor"):
        found.append(await county.ask("GET", "retention", case, role, "nosy"))
        found.append(await county.ask("GET", "retention", letter, role, "nosy"))
    found += [
        await county.ask("POST", "retention", "/v1/cases", "custodian", "carla", wrong)
        for wrong in (order | {"kind": WRONG}, order | {"extra": WRONG}, order | {"contact": WRONG})
    ]
    found.append(await county.ask("GET", "retention", "/v1/cases", "custodian", "carla"))
    gateway = f"{county.known.services['intake']}/v1/records-requests"
    public = {"request": CASE_WORDS, "contact": REQUESTER}
    for body in (public, public | {"extra": WRONG}, public | {"contact": {"name": [WRONG]}}):
        found.append(await county.http.post(gateway, json=body))
    found.append(await county.http.post(gateway, json=public, headers={"Idempotency-Key": WRONG}))
    token = found[-4].json()["token"]
    for said in (token, WRONG):
        headers = {"Authorization": f"Bearer {said}"}
        found.append(await county.http.get(f"{gateway}/status", headers=headers))
    assert [each.status_code for each in found[-6:]] == [201, 422, 422, 422, 200, 404]
    path = f"/v1/cases/{found[-6].json()['case_id']}/bounds"
    bounded = await county.ask("PUT", "retention", path, "custodian", "carla", bounds)
    assert bounded.status_code == 200, bounded.text
    found.append(bounded)
    public_case = path.removesuffix("/bounds")
    await county.post(
        "retention", f"{public_case}/records", {"complete": True}, "custodian", "carla"
    )
    found.append(await until(partial(_denied, county, public_case), "a denial is prepared"))
    for said in (token, WRONG):
        headers = {"Authorization": f"Bearer {said}"}
        for what in ("estimate", "statement"):
            found.append(await county.http.get(f"{gateway}/{what}", headers=headers))
    wrong = {"receipt": WRONG[:40], "cents": 1}
    paying = f"{public_case}/payments"
    found.append(await county.ask("POST", "retention", paying, "custodian", "carla", wrong))
    _keep(answers, "cases", found)


async def _correspondence(county: County, answers: Path) -> None:
    """A question, its answer by the token, and a scope, each also wrongly. What is rightly read is
    not kept."""
    gateway = f"{county.known.services['intake']}/v1/records-requests"
    sent = (await county.http.post(gateway, json={"request": CASE_WORDS})).json()
    case, own = f"/v1/cases/{sent['case_id']}", f"{gateway}/messages"
    token = {"Authorization": f"Bearer {sent['token']}"}
    bounds = {"query": {"until": "1950-01-01T05:00:00Z"}}

    async def desk(method: str, path: str, body: object = None) -> httpx.Response:
        return await county.ask(method, "retention", case + path, "custodian", "carla", body)

    question = {"text": CASE_QUESTION, "asks": True}
    found = [
        await desk("PUT", "/bounds", bounds),
        await desk("POST", "/messages", question),
        await county.http.post(own, json={"text": CASE_ANSWER}, headers=token),
    ]
    version = (await desk("GET", "/grants")).json()["version"]
    found.append(await desk("PUT", "/scope", {"version": version, **SCOPE}))
    assert [each.status_code for each in found] == [200, 201, 201, 200], found[-1].text
    assert (await desk("GET", "/scope")).json()["words"] == SCOPE["words"]
    assert CASE_ANSWER in (await desk("GET", "/messages")).text
    assert CASE_QUESTION in (await county.http.get(own, headers=token)).text
    found += [
        await desk("GET", "/timeline"),
        await desk("GET", "/searches"),
        await desk("POST", "/messages", {**question, "extra": WRONG}),
        await desk("POST", "/searches", {"search_id": "s-1", "where": WRONG, "hits": 0}),
        await desk("PUT", "/scope", {"version": 1, **SCOPE}),
        await desk("PUT", "/scope", {"version": version, **SCOPE, "person": {"extra": WRONG}}),
        await county.http.post(own, json={"text": [CASE_ANSWER]}, headers=token),
        await county.http.post(
            own, json={"text": CASE_ANSWER}, headers={"Authorization": f"Bearer {WRONG}"}
        ),
        await county.ask("GET", "retention", f"{case}/messages", "liaison", "nosy"),
        await county.ask("GET", "retention", f"{case}/scope", "auditor", "nosy"),
    ]
    codes = [each.status_code for each in found[4:]]
    assert codes == [200, 200, 422, 422, 409, 422, 422, 404, 404, 403]
    _keep(answers, "correspondence", found)


async def _legal_process(county: County, answers: Path) -> None:
    """A legal process that an officer sends, also wrongly. What the desk rightly reads is not
    kept."""
    gateway = f"{county.known.services['intake']}/v1/legal-requests"
    form = {
        "agency": REQUESTER["name"],
        "instrument": "warrant",
        "request": CASE_WORDS,
        "officer": REQUESTER,
        "document": base64.b64encode(CASE_LETTER).decode(),
    }
    sent = await county.http.post(gateway, json=form)
    assert sent.status_code == 201, sent.text
    case = f"/v1/cases/{sent.json()['receipt']}"
    bounds = {"query": {"until": "1950-01-01T05:00:00Z"}}
    desk = ("liaison", "lars")
    found = [sent, await county.ask("PUT", "retention", f"{case}/bounds", *desk, bounds)]
    assert found[-1].status_code == 200, found[-1].text
    read = await county.get("retention", case, *desk)
    assert (read["request"], read["contact"]["email"]) == (CASE_WORDS, REQUESTER["email"])
    wrong: list[dict[str, object]] = [
        {"extra": WRONG},
        {"instrument": WRONG},
        {"document": WRONG},
        {"officer": {"name": [WRONG]}},
    ]
    found += [await county.http.post(gateway, json=form | change) for change in wrong]
    found.append(await county.http.post(gateway, json=form, headers={"Idempotency-Key": WRONG}))
    found += [
        await county.ask("GET", "retention", f"{case}/legal-process", *desk),
        await county.ask("GET", "retention", case, "custodian", "nosy"),
    ]
    assert [each.status_code for each in found[2:]] == [422] * 5 + [200, 404]
    _keep(answers, "legal process", found)


async def _denied(county: County, case: str) -> httpx.Response | None:
    """A prepared denial, once the records of the case are identified."""
    seen = await county.get("retention", f"{case}/denials", "custodian", "carla")
    body = {
        "version": seen["version"],
        "outcome": "denied",
        "items": [{"reason": "not_held"}],
        "statement": CASE_STATEMENT,
    }
    answer = await county.ask("POST", "retention", f"{case}/denial", "custodian", "carla", body)
    return answer if answer.status_code == 201 else None


async def _residents(county: County, record_id: str, answers: Path) -> list[str]:
    """Links, and what residents do with them, rightly and wrongly; the links that were given."""
    submitted = await county.submit(submission(60, extensions="true"))
    (accepted,) = submitted.json()
    said = f"the resident called from {STAFF['justification']}"
    path = f"/v1/requests/{record_id}"
    given = await county.post("intake", f"{path}/link", {"justification": said}, "agent", "olga")
    links = [str(accepted["extended_attributes"]["link_token"]), str(given["token"])]
    other, own = ({"Authorization": f"Bearer {link}"} for link in links)
    intake, audit = (county.known.services[name] for name in ("intake", "audit"))

    async def correct(values: dict[str, str], headers: dict[str, str]) -> httpx.Response:
        url = f"{intake}{path}/corrections"
        return await county.http.post(url, json=values, headers=headers)

    key = {"Idempotency-Key": AROUND["idempotency key"]}
    by_link = {name: text for name, text in CORRECTED.items() if name != "email"}
    for _ in range(2):
        assert (await correct(by_link, own | key)).is_success
    address = {"email": CORRECTED["email"], "email_notice_version": NOTICE, "justification": said}
    await county.post("intake", f"{path}/email", address, "agent", "olga")
    held = await county.http.get(f"{intake}{path}/subject", headers=own)
    assert held.json()["fields"] | CORRECTED == held.json()["fields"], held.text
    found = [
        await correct({"email": WRONG}, own),
        await correct({WRONG: WRONG}, own),
        await correct({"first_name": WRONG}, own | key),
        await correct({"phone": WRONG}, own),
        await correct({"first_name": WRONG}, other),
        await correct({"first_name": WRONG}, {"Authorization": f"{own['Authorization']}{WRONG}"}),
        await county.http.get(f"{intake}{path}/subject", headers=other),
        await county.http.get(f"{intake}/v1/counts", headers=own),
        await county.http.get(f"{audit}/v1/subject/{record_id}/accesses", headers=own),
        await county.http.get(
            f"{audit}/v1/subject/{record_id}/accesses", headers=own, params={"cursor": WRONG}
        ),
        await county.http.get(f"{intake}{path}/accesses", headers=own),
        await county.http.get(f"{intake}{path}/accesses", headers=own, params={"cursor": WRONG}),
    ]
    _keep(answers, "resident", found)
    statuses = [answer.status_code for answer in found]
    assert statuses == [422, 422, 409, 422, 403, 401, 403, 403, 200, 400, 200, 422]
    assert found[-1].json()["title"] == "cursor"
    return links


async def _app(county: County, record_id: str, link: str, answers: Path) -> list[str]:
    """The app's own API: a submission, comments, codes, messages; the links that were given."""
    app = App(county)
    submitted = await app.call(
        "POST",
        "/v1/requests",
        {
            **order(61),
            **{name: PERSON[name] for name in ("first_name", "last_name", "email", "phone")},
            "description": TEXTS[0][1].format(TEXTS[0][2]),
        },
        key=f"app-{AROUND['idempotency key']}",
        headers={"User-Agent": AROUND["user agent"]},
    )
    said = submitted.json()
    own, own_link = str(said["service_request_id"]), str(said["link"]["token"])
    path = f"/v1/requests/{record_id}"
    right = [
        submitted,
        await app.call(
            "POST",
            f"{path}/comments",
            {"text": SAID_LATER["comment"]},
            link=link,
            key=f"app-{AROUND['idempotency key']}",
        ),
        await app.call("GET", f"{path}/follow", link=link),
        await app.call(
            "POST", f"{path}/notifications", {"email_notice_version": NOTICE}, link=link
        ),
        await app.call("POST", f"{path}/codes", {"email": SAID_LATER["code asked for"]}),
        await app.call("POST", f"{path}/codes", {"email": CORRECTED["email"]}),
        await app.call("POST", f"/v1/requests/{own}/withdraw", link=own_link),
    ]
    assert [each.status_code for each in right] == [201, 201, 200, 200, 202, 202, 200]
    (message,) = await mailed(county, CORRECTED["email"])
    assert CORRECTED["last_name"] not in text_of(message)
    found = [
        *right[1:],
        await app.call("POST", f"{path}/codes", {"email": WRONG}),
        await app.call("POST", f"{path}/codes/redeem", {"code": SAID_LATER["code tried"]}),
        await app.call("POST", f"{path}/comments", {"text": f"{WRONG}\x00"}, link=link),
        await app.call("POST", f"{path}/comments", {WRONG: WRONG}, link=link),
        await app.call("POST", f"{path}/comments", {"text": WRONG}, link=own_link),
        await app.call("POST", f"{path}/media", {"file_ids": [WRONG]}, link=link),
        await app.call("POST", "/v1/requests", {**order(62), "app": {"device": SAID_LATER["app"]}}),
        await app.call("POST", "/v1/requests", {**order(62), "attributes": {WRONG: {WRONG: 1}}}),
        await app.call("POST", "/v1/requests", {**order(62), "email": WRONG, WRONG: WRONG}),
        await app.call("POST", "/v1/requests", order(62), headers={"X-Api-Key": WRONG}),
        await app.call("GET", f"/v1/requests.atom?bbox={WRONG}"),
        await app.call("GET", f"/v1/requests/nearby?service_code={WRONG}&lat=25.6&long=-80.3"),
    ]
    # A type that is none is taken as unknown, and does not travel.
    await app.call(
        "POST", "/v1/uploads", {"files": [{"content_type": SAID_LATER["file type"], "size": 3}]}
    )
    _keep(answers, "app", found)
    assert {each.status_code for each in found[len(right) - 1 :]} <= {401, 403, 422}
    return [own_link]


DEPARTMENT = "animal_services"
READERS = ("media", "geo", "routing", "retention")
"""Of `request.created`."""


async def _departments(county: County, record_id: str) -> None:
    """What a department says of its job and of others', rightly and wrongly, and what nobody can
    read; until each has its answer, or its dead letter."""
    note = f"My name is {NOTE['name']}. Call me at {NOTE['phone']}, {NOTE['email']}."
    words = ("answer", record_id, "in_progress", "--note", note)
    said = await county.department(DEPARTMENT, *words)
    assert said.code == 0, said.errors
    strange = "01890000-0000-7000-8000-000000000311"
    words = ("answer", strange, "fixed", "--note", STRANGE["note on another's job"])
    refused = await county.department(DEPARTMENT, *words)
    assert refused.code != 0
    (update, *_) = await county.messages(f"updates.{DEPARTMENT}")
    await county.forge(update, STRANGE["body of no event"].encode())
    await county.forge(update, f'{{"{STRANGE["field of no event"]}": 1}}'.encode())
    (created, *_) = await county.messages("request.created")
    await county.forge(created, f'{{"record_id": "{BROKEN.text}"'.encode())

    async def told() -> bool:
        letters = {
            name: len(await county.messages(f"deadletters.{name}"))
            for name in ("routing", *READERS)
        }
        return letters["routing"] >= 3 and all(letters[name] for name in READERS)

    await until(told, "what cannot be read is a dead letter of each reader")


def _keep(answers: Path, name: str, found: Sequence[httpx.Response]) -> None:
    for number, answer in enumerate(found):
        headers = "".join(f"{key}: {value}\n" for key, value in answer.headers.items())
        body = f"{answer.status_code}\n{headers}\n".encode() + answer.content
        (answers / f"{name}-{number}").write_bytes(body)


async def _has_photo(county: County, record_id: str) -> bool:
    return (await county.request(record_id))["media_url"] is not None


async def _settled(county: County) -> None:
    async def settled() -> bool:
        counts = [await county.counts(name) for name in ("intake", "geo", "routing", "retention")]
        return len({each["total"] for each in counts}) == 1 and not counts[2].get("waiting")

    await until(settled, "every service has every request")


async def _metrics(stack: Stack) -> dict[str, bytes]:
    async with entering(stack) as county:
        answers = {name: await county.ask("GET", name, "/metrics", None) for name in stack.services}
        return {name: answer.content for name, answer in answers.items()}


def run(stack: Stack) -> Document:
    """Plant, and bring all that the processes tell about themselves into the stack's folder."""
    (stack.root / "answers").mkdir()
    planted = asyncio.run(plant(stack, stack.root / "answers"))
    (stack.root / "metrics").mkdir()
    for service, text in asyncio.run(_metrics(stack)).items():
        (stack.root / "metrics" / service).write_bytes(text)
    return planted
