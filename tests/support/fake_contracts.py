"""Which contract holds each fake to what the real adapter does.

`tests/unit/suite/test_fakes_have_contracts.py` finds every fake by its name and refuses one that is
not in these tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass

CONTRACT = "tests/contract/"
RETENTION = "tests/wire/test_retention_stores.py"
MEDIA = "tests/support/media.py"
LOG = "tests/unit/audit/log_contract.py"


@dataclass(frozen=True)
class Contract:
    """`suite` has the promises as tests. `real`: the adapter that they run on as well as on the
    fake. `on_fake` and `on_real`: the files that hand the two to the suite, where it does not."""

    suite: str
    real: str
    on_fake: str | None = None
    on_real: str | None = None


def _log(real: str) -> Contract:
    return Contract(LOG, real, on_real="tests/wire/test_audit.py")


def _media(real: str) -> Contract:
    return Contract(CONTRACT + "test_media_stores.py", real, on_fake=MEDIA)


CONTRACTS: Mapping[str, Contract] = {
    # runtime
    "InMemoryRecords": Contract(CONTRACT + "test_records.py", "MongoRecords"),
    "InMemoryLease": Contract(CONTRACT + "test_leases.py", "MongoLease"),
    "InMemoryPresence": Contract(CONTRACT + "test_presence.py", "MongoPresence"),
    "InMemoryPublisher": Contract(CONTRACT + "test_broker.py", "KafkaPublisher"),
    "InMemoryAccessLog": Contract(CONTRACT + "test_broker.py", "KafkaPublisher"),
    "InMemoryKeys": Contract(CONTRACT + "test_keys.py", "MongoKeys"),
    "InMemoryKeptDisclosures": Contract(CONTRACT + "test_disclosures.py", "MongoKeptDisclosures"),
    "InMemorySeenKeys": Contract(CONTRACT + "test_disclosures.py", "MongoSeenKeys"),
    "InMemoryEndedSessions": Contract(
        CONTRACT + "test_intake_collections.py", "MongoEndedSessions"
    ),
    # intake
    "InMemoryRequests": Contract(CONTRACT + "test_requests.py", "MongoRequests"),
    "InMemorySubmissions": Contract(CONTRACT + "test_requests.py", "BatchedSubmissions"),
    "InMemoryTickets": Contract(CONTRACT + "test_intake_collections.py", "MongoUploadTickets"),
    "InMemoryCandidates": Contract(CONTRACT + "test_search_candidates.py", "MongoCandidates"),
    "InMemoryCodes": Contract(CONTRACT + "test_intake_collections.py", "MongoCodes"),
    "InMemoryMailer": Contract(CONTRACT + "test_smtp.py", "SmtpMailer"),
    "InMemoryProtections": Contract(CONTRACT + "test_protection_stores.py", "MongoProtections"),
    "InMemoryRegistry": Contract(CONTRACT + "test_protection_stores.py", "MongoProtections"),
    "InMemoryClients": Contract(CONTRACT + "test_client_stores.py", "MongoClients"),
    "InMemoryQuotas": Contract(CONTRACT + "test_client_stores.py", "MongoQuotas"),
    "InMemoryCounts": Contract(CONTRACT + "test_client_stores.py", "MongoCounts"),
    "InMemoryReviews": Contract(CONTRACT + "test_review_stores.py", "MongoReviews"),
    "InMemoryCaseDesk": Contract(CONTRACT + "test_case_desk_calls.py", "RetentionCases"),
    "InMemoryMessageDesk": Contract(CONTRACT + "test_case_desk_calls.py", "RetentionMessages"),
    "InMemoryReleasedPackages": Contract(
        CONTRACT + "test_released_packages.py", "RetentionPackages"
    ),
    "InMemoryDeliveryDesk": Contract(CONTRACT + "test_delivery_calls.py", "RetentionDeliveries"),
    "InMemoryLegalDesk": Contract(CONTRACT + "test_legal_request_calls.py", "RetentionLegalDesk"),
    "InMemoryWorkList": Contract(CONTRACT + "test_work_lists.py", "MongoWorkList"),
    # routing
    "InMemoryWorkNotes": Contract(CONTRACT + "test_work_notes.py", "IntakeWorkNotes"),
    # geo
    "InMemoryBoundarySets": Contract(CONTRACT + "test_boundary_sets.py", "MongoBoundarySets"),
    "InMemoryBoundaryVersions": Contract(
        CONTRACT + "test_boundary_sets.py", "MongoBoundaryVersions"
    ),
    "InMemoryWalks": Contract(CONTRACT + "test_boundary_sets.py", "MongoWalks"),
    "InMemoryDifferences": Contract(CONTRACT + "test_boundary_sets.py", "MongoDifferences"),
    "InMemoryStoredPlaces": Contract(CONTRACT + "test_boundary_sets.py", "MongoStoredPlaces"),
    # media
    "InMemoryIncoming": _media("StoreIncoming"),
    "InMemoryOriginals": _media("StoreOriginals"),
    "InMemoryCopies": _media("StoreCopies"),
    "InMemoryHoldings": Contract(CONTRACT + "test_media_stores.py", "MongoHoldings"),
    "InMemoryFilesById": Contract(CONTRACT + "test_media_stores.py", "MongoFilesById"),
    # retention
    "InMemoryInventory": Contract(RETENTION, "MongoInventory"),
    "InMemoryHolds": Contract(RETENTION, "MongoHolds"),
    "InMemoryDispositions": Contract(RETENTION, "MongoDispositions"),
    "InMemoryCertificates": Contract(RETENTION, "MongoCertificates"),
    "InMemoryCases": Contract(CONTRACT + "test_case_stores.py", "MongoCases"),
    "InMemoryPreservingCases": Contract(CONTRACT + "test_case_stores.py", "MongoPreservingCases"),
    "InMemoryDocuments": Contract(CONTRACT + "test_case_stores.py", "StoreDocuments"),
    "InMemoryLegalCases": Contract(CONTRACT + "test_legal_cases.py", "MongoLegalCases"),
    "InMemoryOpenCases": Contract(CONTRACT + "test_open_cases.py", "MongoOpenCases"),
    "InMemoryOpenings": Contract(CONTRACT + "test_openings.py", "MongoOpenings"),
    "InMemoryCodeCases": Contract(CONTRACT + "test_delivery_codes.py", "MongoCodeCases"),
    # audit
    "InMemoryInbox": _log("MongoInbox"),
    "InMemoryLog": _log("MongoLog"),
    "InMemoryBodyKeys": _log("MongoBodyKeys"),
    "InMemoryObjects": _log("LockedObjects"),
    "InMemoryProgress": _log("MongoProgress"),
    "InMemoryPublications": Contract(
        "tests/unit/audit/log/publications_contract.py",
        "MongoPublications",
        on_fake="tests/unit/audit/log/test_publish.py",
        on_real="tests/wire/test_witnesses.py",
    ),
    "InMemoryWatch": Contract(CONTRACT + "test_watch.py", "MongoWatch"),
    "InMemoryNumbers": Contract(CONTRACT + "test_watch.py", "MongoNumbers"),
    "InMemoryFetches": Contract(CONTRACT + "test_audit_stores.py", "PeerFetches"),
    "InMemoryAlarms": Contract(CONTRACT + "test_audit_stores.py", "OutboxAlarms"),
    "InMemoryLogHolds": Contract(CONTRACT + "test_audit_stores.py", "MongoLogHolds"),
    "InMemoryCaseExemptions": Contract(CONTRACT + "test_audit_stores.py", "MongoCaseExemptions"),
}

WITHOUT: Mapping[str, str] = {
    "FakeAuthenticator": "It is the real authenticator, which checks links itself. Only the"
    " reading of staff's tokens is replaced; tests/contract/test_identity.py covers that.",
    "FakeMedia": "It stands for a whole service behind HTTP. tests/e2e/test_app_api.py brings files"
    " through intake to the running media service.",
    "FakeHttp": "It stands for the command line's way to a running stack."
    " tests/e2e/test_pages.py types the commands of docs/case-files.md against one.",
    "FakeSession": "It stands for the command line's way to a running stack."
    " tests/e2e/test_pages.py types the commands of docs/case-files.md against one.",
    "FakeStack": "It stands for the command line's way to a running stack."
    " tests/e2e/test_pages.py types the commands of docs/case-files.md against one.",
    "InMemoryPeople": "It stands for intake behind HTTP. tests/wire/test_audit.py runs the adapter"
    " against recorded answers; tests/e2e/test_request_all_the_way.py runs it against intake.",
    "InMemoryAccesses": "It stands for audit behind HTTP. tests/e2e/test_who_saw_my_data.py"
    " asks the running audit service through intake.",
    "InMemoryWithheld": "It opens through the real vault. Its promises are in"
    " tests/contract/test_withheld.py, ready for the adapter over the decisions of reviews.",
    "InMemoryLocations": "It has no behavior: it returns the counts that a test gives it.",
}
"""Fakes without a contract: why."""
