"""How entries end: records and months that are due, and the holds that keep them."""
