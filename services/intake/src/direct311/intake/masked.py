"""Which contact fields card, bank and social-security numbers are masked in."""

MASKED_CONTACT = ("first_name", "last_name", "reporter_address", "account_id")
"""Contact fields that are words: what is typed there can hold a card's number too. A telephone
field, the id of a device and the address of a picture stay: they say nothing with a part masked."""
