"""A place, with the names that `/v1` uses for it in orders and answers."""

from direct311.schemas import Model
from direct311.schemas.events import Place


class PlaceAnswer(Model):
    """`lat` and `long` are in degrees (WGS 84); `address` is one line."""

    lat: float | None
    long: float | None
    address: str | None
    address_id: str | None
    municipality: str | None
    zip_code: str | None


def place_answer(place: Place) -> PlaceAnswer:
    return PlaceAnswer(
        lat=place.latitude,
        long=place.longitude,
        address=place.address,
        address_id=place.address_id,
        municipality=place.municipality,
        zip_code=place.zip_code,
    )
