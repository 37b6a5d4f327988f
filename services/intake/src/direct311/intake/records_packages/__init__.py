"""Released records: whoever has the token of a request fetches what was released for it."""
