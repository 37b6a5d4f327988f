"""The names used to seal originals."""

SEALED_FIELD = "media_original"
"""The name of originals in the access rules."""


def sealed_name(media_id: str) -> str:
    """What binds a ciphertext to its upload; record and version are bound by the key."""
    return f"{SEALED_FIELD}/{media_id}"
