"""The kinds of index values, and the sealed fields that each is made from."""

FIELDS = ("first_name", "last_name", "email", "phone", "reporter_address")
KIND_OF = {
    "first_name": "name",
    "last_name": "name",
    "email": "email",
    "phone": "phone",
    "reporter_address": "home",
}
KINDS = ("phone", "email", "name", "home")
