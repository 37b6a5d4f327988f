"""What may be in the fields that residents write: lengths, and what each must be."""

import re
from collections.abc import Mapping
from typing import Literal

from direct311.runtime.text import cleaned

LONGEST_DESCRIPTION = 4000
LONGEST_ANSWER = 500
ContactField = Literal["email", "first_name", "last_name", "phone", "account_id", "device_id"]
CONTACT_LIMITS: Mapping[str, int] = {
    "email": 254,
    "first_name": 100,
    "last_name": 100,
    "phone": 60,
    "account_id": 200,
    "device_id": 200,
}
FieldCode = Literal["control_characters", "email_form", "phone_form", "plain_text", "too_long"]
FEWEST_PHONE_DIGITS = 7
"""A number without its area code."""
MOST_PHONE_DIGITS = 15
"""ITU-T E.164."""
WORDS: Mapping[FieldCode, str] = {
    "control_characters": "{field} must be plain text, without control characters",
    "email_form": "{field} must be an address such as name@example.org",
    "phone_form": (
        f"{{field}} must be a telephone number of {FEWEST_PHONE_DIGITS} to {MOST_PHONE_DIGITS} "
        "digits, such as 305-555-0142 or +1 305 555 0142 ext. 12"
    ),
    "plain_text": "{field} may have {most} characters of plain text",
    "too_long": "{field} may have {most} characters",
}
"""What would be right, by the code of what is wrong."""
_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@]+\.[^\s@.]+")
# Tabs and line ends are text; other control characters, and halves of characters, are not.
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_PHONE = re.compile(
    # Digits, with what usually stands between them, and then perhaps an extension.
    r"(?P<number>\+?[\d\s().\-\u2010-\u2015/]+?)"
    r"(?:[,;]?\s*(?:#|xt?|extn?|extensi[oó]n|ekst|ekstansyon|anexo|int|interno|poste)"
    r"[\s:.]*\d{1,7})?\s*",
    re.IGNORECASE,
)
NOT_IN_A_LINE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def text_wrong(text: str) -> FieldCode | None:
    """The code of what is wrong with a text of some length."""
    if len(text) > LONGEST_DESCRIPTION:
        return "too_long"
    return "control_characters" if CONTROL.search(text) else None


def contact_wrong(name: str, text: str) -> FieldCode | None:
    """The code of what is wrong with a contact field, or with the reporter's own address."""
    limit = CONTACT_LIMITS.get(name, LONGEST_ANSWER)
    if len(text) > limit or NOT_IN_A_LINE.search(text) or not cleaned(text):
        return "plain_text"
    return "email_form" if name == "email" and not _EMAIL.fullmatch(text) else None


def phone_wrong(text: str) -> FieldCode | None:
    """The code of what is wrong with a telephone number.

    It has 7 to 15 digits, with or without `+`, spaces, dots, dashes, slashes and parentheses, and
    may end with an extension (`ext. 12`, `x12`, `#12`, `anexo 12`). This is the rule of `/v1`: its
    front ends can have the number corrected. Clients of Open311 send what they like
    (`contact_wrong`).
    """
    found = _PHONE.fullmatch(text)
    digits = sum(map(str.isdecimal, found["number"])) if found else 0
    return None if FEWEST_PHONE_DIGITS <= digits <= MOST_PHONE_DIGITS else "phone_form"
