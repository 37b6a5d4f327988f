"""Every code of a refusal: its HTTP status and its meaning.

The codes are a promise to callers (`urn:direct311:problem:<code>`); handlers and domains name a
code, never a status. `docs/problem-codes.md` is made from this table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from direct311.runtime.access.refusals import RATE
from direct311.runtime.errors import RefusedError
from direct311.runtime.vault.vault import DeniedError


@dataclass(frozen=True, slots=True)
class ProblemCode:
    """`status`: of HTTP. `meaning`: for people. `georeport`: the status in GeoReport v2, if it
    is a different one."""

    status: int
    meaning: str
    georeport: int | None = None


PROBLEMS: Final[Mapping[str, ProblemCode]] = MappingProxyType(
    {
        "agency": ProblemCode(422, "There is no such agency in the county's list."),
        "amount": ProblemCode(422, "It is more than is still owed."),
        "another_way": ProblemCode(409, "The case came by another instrument."),
        "answered": ProblemCode(409, "The requester has answered every question."),
        "answer_gone": ProblemCode(
            410, "The update was answered before, and the answer is not kept any more."
        ),
        "api_key": ProblemCode(
            401, "The API key is missing, unknown, or may not be used for this.", georeport=403
        ),
        "approved": ProblemCode(409, "Somebody else has approved it in the same role."),
        "as_of_in_future": ProblemCode(
            409, "The date is in the future, and this is not a dry run."
        ),
        "asked": ProblemCode(422, "It must be said what was asked."),
        "asked_before": ProblemCode(409, "What was asked was said before, and stays."),
        "audit_unavailable": ProblemCode(
            503, "The audit log cannot be reached, so nothing is released."
        ),
        "boundaries": ProblemCode(422, "The boundary set cannot be imported."),
        "boundary_state": ProblemCode(409, "The state of the boundary set does not allow this."),
        "boxes": ProblemCode(422, "No box can be burnt into this file, or it has no such page."),
        "bounds": ProblemCode(409, "The case has no provisional hold any more."),
        "busy": ProblemCode(503, "Too many files are being sent at once."),
        "called_at": ProblemCode(422, "A call cannot be in the future."),
        "card_number": ProblemCode(
            422, "The number of a card or an account is never entered here."
        ),
        "case_closed": ProblemCode(409, "The case is closed."),
        "case_desk_unavailable": ProblemCode(
            503, "The case desk does not answer now. The gateway kept nothing; send it again."
        ),
        "case_kind": ProblemCode(422, "Only a public-records case has this."),
        "case_state": ProblemCode(409, "The state of the case does not allow this."),
        "caller": ProblemCode(403, "Only one particular service may call this."),
        "changed": ProblemCode(409, "Somebody else has changed it in the meantime."),
        "clear_reason": ProblemCode(422, "A leak is not cleared for this reason."),
        "closed": ProblemCode(409, "The request is closed already."),
        "closed_on": ProblemCode(422, "The case cannot have been closed on that day."),
        "code": ProblemCode(403, "The code is wrong, expired or already used."),
        "collected_before": ProblemCode(
            409, "What was collected is not what may go out now; collect again."
        ),
        "confirmed": ProblemCode(409, "Somebody else has confirmed it or undone it."),
        "consent": ProblemCode(409, "The privacy policy must be agreed to first."),
        "court_hold": ProblemCode(403, "A suit was filed; only counsel releases the hold."),
        "csrf": ProblemCode(403, "The form is not from our own page, or it has expired."),
        "cursor": ProblemCode(422, "The cursor is not one that an answer gave as `next`."),
        "cursor_gone": ProblemCode(
            410, "Events after the cursor were deleted; begin again without one."
        ),
        "cursor_mismatch": ProblemCode(400, "The cursor belongs to another query."),
        "denial_replaced": ProblemCode(409, "Another denial was prepared since."),
        "department": ProblemCode(
            403, "Your department must have the request, or be the one that is named."
        ),
        "deposit": ProblemCode(422, "A deposit is at most what is estimated."),
        "desk": ProblemCode(403, "Another desk keeps cases of this kind."),
        "destroyed": ProblemCode(410, "The request was destroyed, or is being destroyed."),
        "document": ProblemCode(422, "A case of this kind has no such documents."),
        "email_code": ProblemCode(403, "Replacing an e-mail address needs the code sent to it."),
        "empty_grant": ProblemCode(422, "The grant names no field, or neither record nor search."),
        "ended": ProblemCode(409, "The protection was ended."),
        "exists": ProblemCode(409, "This id is in use, or was used before."),
        "exemption": ProblemCode(
            422, "What is withheld needs an exemption that is in force, and is for it."
        ),
        "fields": ProblemCode(422, "There is no sealed field of this name."),
        "file_too_large": ProblemCode(422, "A file is larger than a file may be."),
        "follow_up": ProblemCode(
            409, "An instrument must still follow, or none must follow in this case."
        ),
        "fresh_sign_in": ProblemCode(
            403, "The ID token is no fresh sign-in of the caller for what is approved."
        ),
        "full": ProblemCode(409, "The request already has as many of these as it may."),
        "geo_unavailable": ProblemCode(503, "Addresses cannot be read now."),
        "grant_ended": ProblemCode(409, "The grant was revoked or has expired."),
        "header": ProblemCode(400, "A header was sent more than once."),
        "held": ProblemCode(
            409, "The place of the request is being checked; send it later, with a new id."
        ),
        "hold_period": ProblemCode(409, "The law keeps the records of the hold for longer."),
        "host": ProblemCode(400, "The service may not be called by this name."),
        "idempotency_key": ProblemCode(409, "The idempotency key was used for other content."),
        "in_force": ProblemCode(409, "It is in force and must be ended first."),
        "index_rebuilding": ProblemCode(503, "The query index is being rebuilt."),
        "instrument": ProblemCode(422, "There is no such instrument in force."),
        "intake": ProblemCode(
            403, "Intake does not let the caller search for a person's requests."
        ),
        "intake_person": ProblemCode(422, "Intake cannot search for the person as given."),
        "intake_rate": ProblemCode(429, "Intake has received too many searches for persons."),
        "intake_token": ProblemCode(401, "Intake does not accept the caller's token."),
        "internal": ProblemCode(500, "Something went wrong here; it has been noted."),
        "item": ProblemCode(422, "The record, as it was shown, has no such item."),
        "lifted_by": ProblemCode(
            403, "Only the roles that the exemption names may release what it withholds."
        ),
        "leak": ProblemCode(409, "Something that was withheld is in the package."),
        "link_key": ProblemCode(503, "Links cannot be signed until a new key takes effect."),
        "malformed": ProblemCode(
            422, "A field is missing or wrong; `errors` lists all of them.", georeport=400
        ),
        "method_not_allowed": ProblemCode(405, "This address does not accept this method."),
        "no_approvals": ProblemCode(503, "No client for approvals is configured."),
        "no_denials": ProblemCode(422, "A case of this kind is not denied here."),
        "no_email": ProblemCode(409, "The request holds no e-mail address."),
        "no_grant": ProblemCode(403, "No grant in force for the case names the caller."),
        "no_mail": ProblemCode(503, "The county cannot send e-mail now."),
        "no_estimate": ProblemCode(409, "Nothing was estimated for the case yet."),
        "no_fees": ProblemCode(422, "Only a public-records case has fees."),
        "no_policy": ProblemCode(503, "No privacy policy is in force, so nothing is collected."),
        "no_search": ProblemCode(409, "No search is written down for the case."),
        "no_statement": ProblemCode(409, "Nothing of the request was denied."),
        "not_assigned": ProblemCode(409, "No department has the request at present."),
        "not_collected": ProblemCode(409, "Some records of the case are not collected."),
        "not_compared": ProblemCode(
            409, "What the boundary set would change has not been counted yet."
        ),
        "not_denied": ProblemCode(409, "The last approval of a denial closes the case as denied."),
        "not_encrypted": ProblemCode(409, "The package is not encrypted to its recipient."),
        "not_found": ProblemCode(404, "It does not exist, or this caller may not see it."),
        "not_held": ProblemCode(422, "The request does not hold the data to be changed."),
        "not_identified": ProblemCode(
            409, "The records that the request is about are not identified yet."
        ),
        "not_on_hold": ProblemCode(409, "The request is not waiting for the reporter's identity."),
        "not_proposed": ProblemCode(409, "Somebody must propose it first."),
        "not_published": ProblemCode(
            503, "The witnesses have not cosigned this part of the log yet."
        ),
        "not_readable": ProblemCode(410, "The record's key is gone; it cannot be read."),
        "not_released": ProblemCode(404, "No such package was released for the case."),
        "not_renderable": ProblemCode(422, "The file cannot be shown as pages."),
        "not_reviewed": ProblemCode(409, "Nobody has decided about all of it for this case."),
        "not_up_to_date": ProblemCode(503, "Retention is not receiving events now."),
        "nothing_collected": ProblemCode(409, "Nothing is collected that has not gone out."),
        "nothing_to_propose": ProblemCode(409, "None of the records can be proposed."),
        "notice": ProblemCode(409, "For this instrument no document delays the notice."),
        "notice_document": ProblemCode(409, "Only a new document prolongs the delay."),
        "notice_period": ProblemCode(
            422, "A notice is delayed by at most 90 days from the date of its document."
        ),
        "objection": ProblemCode(409, "Somebody objects, and counsel has not settled it."),
        "ordered": ProblemCode(409, "The record's destruction has been ordered."),
        "origin": ProblemCode(403, "This web page may not use the client's key."),
        "outcome": ProblemCode(422, "The assignments do not list this outcome."),
        "outside_scope": ProblemCode(
            403, "This is more than was asked, granted, or may be opened."
        ),
        "over_estimate": ProblemCode(
            409, "It is more than was estimated; another estimate is needed."
        ),
        "package_hash": ProblemCode(409, "The hash is not that of the newest package."),
        "placing": ProblemCode(409, "The hold is still being written."),
        "proposed": ProblemCode(409, "It has already been proposed."),
        "quota": ProblemCode(429, "The client's quota is used up."),
        "rate": ProblemCode(429, "Too many codes were requested."),
        "recalled": ProblemCode(410, "The package went out wrongly, and was recalled."),
        "receipt": ProblemCode(422, "This is not the form of a cashier's receipt number."),
        "receipt_used": ProblemCode(409, "The receipt was recorded with another amount."),
        "received_at": ProblemCode(422, "It cannot have been received then."),
        "reference": ProblemCode(409, "It was proposed with another file number."),
        "scope_bounds": ProblemCode(
            422, "Such a scope makes no bounds: it names a person, or looks for any record."
        ),
        "search_code": ProblemCode(422, "The list for the search log has no such code."),
        "secrecy_ended": ProblemCode(409, "The secrecy of the case has ended, for good."),
        "subject": ProblemCode(422, "For this instrument nothing like this is verified."),
        "unconfirmed_letter": ProblemCode(
            409, "Counsel has not confirmed the words of the notice; use the county's own file."
        ),
        "unlisted": ProblemCode(422, "There is no such code in the county's list."),
        "unverified_instrument": ProblemCode(
            409, "Nobody has verified the instrument and the officer."
        ),
        RATE: ProblemCode(429, "Too many calls were refused; `Retry-After` says when to continue."),
        "revoked": ProblemCode(409, "The client was revoked."),
        "role": ProblemCode(403, "The caller has none of the roles that may do this."),
        "same_person": ProblemCode(403, "A person other than the first one must do this."),
        "searches": ProblemCode(
            422, "No grant for this kind of case may allow such a search, or it is named twice."
        ),
        "set_hash": ProblemCode(409, "The hash is not that of the set."),
        "sha256": ProblemCode(422, "The body has another SHA-256 than the address says."),
        "signed_link": ProblemCode(403, "Only the signed link of this request opens it."),
        "size": ProblemCode(422, "The log has fewer entries than that."),
        "sizes": ProblemCode(422, "The log did not have these sizes, in this order."),
        "stale": ProblemCode(
            412, "Somebody else has edited the request; `present` is the request now."
        ),
        "status": ProblemCode(409, "The set's status does not allow it."),
        "too_deep": ProblemCode(400, "The JSON is nested too deeply."),
        "too_large": ProblemCode(413, "The body is too large."),
        "too_long": ProblemCode(422, "The audit log cannot hold it; ask for less at a time."),
        "too_many": ProblemCode(
            422, "There are too many; ask for fewer, or add no more.", georeport=400
        ),
        "too_many_keys": ProblemCode(409, "The client already has as many keys as it may."),
        "too_often": ProblemCode(429, "Too many calls; `Retry-After` says when to try again."),
        "too_slow": ProblemCode(408, "The body did not arrive in time."),
        "transition": ProblemCode(
            409, "The status of the work does not allow the step; `allowed` lists what it allows."
        ),
        "unauthenticated": ProblemCode(401, "The caller is not signed in."),
        "unavailable": ProblemCode(503, "The service cannot answer now; try again."),
        "unpaid": ProblemCode(409, "Something is still to be paid, so nothing is released."),
        "receipted": ProblemCode(409, "Another receipt was given for it."),
        "recipient_key": ProblemCode(422, "It cannot be encrypted to this."),
        "unknown_code": ProblemCode(404, "No delivery has this code, or it was used."),
        "unknown_case": ProblemCode(404, "There is no such case, or not at this desk."),
        "unknown_certificate": ProblemCode(404, "There is no such certificate."),
        "unknown_leak": ProblemCode(404, "The build that was stopped last has no such leak."),
        "unknown_denial": ProblemCode(404, "The case has no such denial."),
        "unknown_disposition": ProblemCode(404, "There is no such disposition set."),
        "unknown_grant": ProblemCode(404, "The case has no such grant."),
        "unknown_hold": ProblemCode(404, "There is no such hold."),
        "unknown_record": ProblemCode(404, "The service has no such record."),
        "unreadable": ProblemCode(400, "The body is not JSON, or was not sent as JSON."),
        "valid_until": ProblemCode(422, "The grant must end in the future, and not too late."),
        "wrong_department": ProblemCode(409, "Another department has the request."),
    }
)
"""All codes, except two: `refused:<rule>` of the access rules (`DENIED`, `UNSAID`), and `http`
(`of_the_framework`)."""

DENIED: Final = 403
"""The status if an access rule refuses."""
UNSAID: Final = 422
"""The status if only a reason is missing."""

UNREADABLE: Final = "The body must be JSON that can be read."

_OF_THE_FRAMEWORK: Final[Mapping[int, tuple[str, str]]] = {
    400: ("unreadable", UNREADABLE),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take this method."),
    408: ("too_slow", "The body did not arrive in time."),
    413: ("too_large", "The body is too large."),
}


def status_of(error: RefusedError) -> int:
    """The HTTP status with which a refusal is answered."""
    if isinstance(error, DeniedError):
        if error.retry_after:
            return PROBLEMS[RATE].status
        return UNSAID if error.decision.unsaid else DENIED
    return PROBLEMS[error.code].status


def georeport_status_of(error: RefusedError) -> int:
    """The HTTP status with which the same refusal is answered in GeoReport v2."""
    if isinstance(error, DeniedError):
        return status_of(error)
    return PROBLEMS[error.code].georeport or PROBLEMS[error.code].status


def of_the_framework(status: int) -> tuple[str, str]:
    """Code and detail of a refusal by the web framework; `http` if no other code fits."""
    return _OF_THE_FRAMEWORK.get(status, ("http", "The request cannot be answered."))
