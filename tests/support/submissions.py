"""Service requests as residents send them, with reporters who do not exist."""

from io import BytesIO

from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from direct311.cli.reporters import reporter

KENDALL = {"lat": "25.666000", "long": "-80.358000"}
"""In the unincorporated area."""
MIAMI_BEACH = {"lat": "25.814000", "long": "-80.134000"}
OUT_AT_SEA = {"lat": "25.700000", "long": "-79.500000"}
NOWHERE = {"address_string": "behind the big tree, no idea"}

ANIMALS = "ANI-STRAY-DOG"
"""Animal Services work in the whole county."""
ENFORCEMENT = "CODE-JUNK"


def submission(
    number: int,
    service_code: str = ANIMALS,
    place: dict[str, str] = KENDALL,
    *,
    reported: bool = True,
    **fields: str,
) -> dict[str, str]:
    """The form of a request, by default a stray dog in Kendall, with its reporter's contact data
    (of reporter `number`) unless it is anonymous. Given fields replace those."""
    form = {"service_code": service_code, **place, "description": "It runs along the canal."}
    if reported:
        person = reporter(number)
        form |= {
            "first_name": person.first_name,
            "last_name": person.last_name,
            "email": person.email,
            "phone": person.phone,
        }
    return form | fields


def photo(words: str, latitude: tuple[int, int, int], longitude: tuple[int, int, int]) -> bytes:
    """A JPEG whose EXIF holds these words and a position.

    Latitude is north, longitude west, each in degrees, minutes and thousandths of a second.
    """
    tags = Image.Exif()
    tags[0x010E] = words
    tags[0x013B] = words
    tags[0x9C9C] = words.encode("utf-16-le")
    gps = tags.get_ifd(0x8825)
    gps[1], gps[2] = "N", _rationals(latitude)
    gps[3], gps[4] = "W", _rationals(longitude)
    stream = BytesIO()
    Image.radial_gradient("L").convert("RGB").save(stream, "JPEG", exif=tags.tobytes())
    return stream.getvalue()


def _rationals(angle: tuple[int, int, int]) -> tuple[IFDRational, ...]:
    degrees, minutes, thousandths = angle
    return IFDRational(degrees), IFDRational(minutes), IFDRational(thousandths, 1000)
