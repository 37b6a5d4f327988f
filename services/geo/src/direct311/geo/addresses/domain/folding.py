"""Text as the eye reads it: a look-alike of one of our letters or digits becomes that one.

People copy addresses from anywhere, and somebody who wants to hide a place from rules uses letters
of other alphabets. Both must read as the same.
"""

# ruff: noqa: RUF001 (letters that look like others are what this is about)

import html
import re
import unicodedata
from urllib.parse import unquote

from direct311.schemas.unicode import normalized

_ALIKE = {
    # Cyrillic
    **dict(zip("АВСЕНІЈКМОРЅТУХԜԚѴԌҮԀӀҒӨЗ", "ABCEHIJKMOPSTYXWQVGYDIFO3", strict=True)),
    # Greek
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹϺΘ", "ABEZHIKMNOPTYXCMO", strict=True)),
    # Armenian, Cherokee
    **dict(zip("ՕՍԼՏ", "OULS", strict=True)),
    **dict(zip("ᎠᎡᎢᎪᎫᎬᎳᎷᎻᎽᏀᏃᏒᏔᏕᏙᏚᏞᏟᏢᏦᏴ", "DRTAJEWMHYGZRWSVSLCPKB", strict=True)),
    # Latin letters without a decomposition, and small capitals
    **dict(zip("ŁØĐĦŦƗƵⱭꞬ", "LODHTIZAG", strict=True)),
    "Æ": "AE", "Œ": "OE",
    **dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢɑɡı", "ABCDEFGHIJKLMNOPRSTUVWYZAGI", strict=True)),
    "½": " ", "¼": " ", "¾": " ", "º": " ", "ª": " ", "№": " NO ",
}  # fmt: skip
_TABLE = str.maketrans(_ALIKE)
_ENTITY = re.compile(r"&#?\w{1,10};")
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
# O for zero and I or L for one, with digits on both sides or after them.
_LETTER_DIGITS = (
    (re.compile(r"(?<=\d)[OQ](?=\d)"), "0"),
    (re.compile(r"(?<=\d)[IL|](?=\d)|(?<![A-Z\d])[IL|](?=\d\d)"), "1"),
)


def upper_ascii(text: str) -> str:
    """`text` in upper case ASCII. Nothing invisible is left, words are separated by a space, a
    comma, a hyphen or a line end, and digits of any script become ASCII digits."""
    if "&" in text and _ENTITY.search(text):
        text = html.unescape(text)
    if "%" in text and _ENCODED.search(text):
        text = unquote(text, errors="ignore")
    if text.isascii():
        return text.upper()
    composed = normalized("NFC", text.translate(_TABLE)).upper().translate(_TABLE)
    plain = normalized("NFKD", composed).translate(_TABLE)
    return "".join(map(_ascii, plain))


def _ascii(char: str) -> str:
    if char < "\x80":
        return char.upper()
    if (digit := unicodedata.digit(char, None)) is not None:
        return str(digit)
    category = unicodedata.category(char)
    if category == "Pd":
        return "-"
    if category in ("Zs", "Zl", "Zp"):
        return " "
    if category in ("Pi", "Pf") or char in "ʼʹ′ˈ":
        return "'"
    return " " if category[0] in "PS" else ""


def digits_for_letters(text: str) -> str:
    """`text`, upper case, with the letters that stand for digits in its numbers as digits."""
    for pattern, digit in _LETTER_DIGITS:
        text = pattern.sub(digit, text)
    return text
