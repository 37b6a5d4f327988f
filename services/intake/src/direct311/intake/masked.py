"""The contact fields in which card, bank and social-security numbers are masked."""

MASKED_CONTACT = ("first_name", "last_name", "reporter_address", "account_id")
"""Contact fields that are words: text typed there can contain a card number. A telephone field, a
device's id and a picture's URL stay, because they mean nothing with a part masked."""
