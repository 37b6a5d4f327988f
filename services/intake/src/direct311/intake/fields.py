"""What may be in the fields that residents write: lengths, and what each must be."""

import re
from collections.abc import Mapping

from direct311.runtime.text import cleaned

LONGEST_DESCRIPTION = 4000
LONGEST_ANSWER = 500
CONTACT_LIMITS: Mapping[str, int] = {
    "email": 254,
    "first_name": 100,
    "last_name": 100,
    "phone": 60,
    "account_id": 200,
    "device_id": 200,
}
FEWEST_PHONE_DIGITS = 7
"""A number without its area code."""
MOST_PHONE_DIGITS = 15
"""ITU-T E.164."""
_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@]+\.[^\s@.]+")
# Tabs and line ends are text; other control characters, and halves of characters, are not.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_PHONE = re.compile(
    # Digits, with what usually stands between them, and then perhaps an extension.
    r"(?P<number>\+?[\d\s().\-\u2010-\u2015/]+?)"
    r"(?:[,;]?\s*(?:#|xt?|extn?|extensi[oó]n|ekst|ekstansyon|anexo|int|interno|poste)"
    r"[\s:.]*\d{1,7})?\s*",
    re.IGNORECASE,
)
_NOT_IN_A_LINE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def text_problem(name: str, text: str) -> str | None:
    """What a text of some length must be, where it is not."""
    if len(text) > LONGEST_DESCRIPTION:
        return f"{name} may have {LONGEST_DESCRIPTION} characters"
    if _CONTROL.search(text):
        return f"{name} must be plain text, without control characters"
    return None


def contact_problem(name: str, text: str) -> str | None:
    """What a contact field, or the reporter's own address, must be, where it is not."""
    limit = CONTACT_LIMITS.get(name, LONGEST_ANSWER)
    if len(text) > limit or _NOT_IN_A_LINE.search(text) or not cleaned(text):
        return f"{name} may have {limit} characters of plain text"
    if name == "email" and not _EMAIL.fullmatch(text):
        return "email must be an address such as name@example.org"
    return None


def phone_problem(name: str, text: str) -> str | None:
    """What a telephone number must be, where it is not.

    It has 7 to 15 digits, with or without `+`, spaces, dots, dashes, slashes and parentheses, and
    may end with an extension (`ext. 12`, `x12`, `#12`, `anexo 12`). This is the rule of `/v1`: its
    front ends can have the number corrected. Clients of Open311 send what they like
    (`contact_problem`).
    """
    found = _PHONE.fullmatch(text)
    digits = sum(map(str.isdecimal, found["number"])) if found else 0
    if FEWEST_PHONE_DIGITS <= digits <= MOST_PHONE_DIGITS:
        return None
    return (
        f"{name} must be a telephone number of {FEWEST_PHONE_DIGITS} to {MOST_PHONE_DIGITS} "
        "digits, such as 305-555-0142 or +1 305 555 0142 ext. 12"
    )
