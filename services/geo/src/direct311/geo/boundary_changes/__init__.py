"""Boundary sets as versions: proposed, compared, approved by a second person, put in force, rolled
back; and what follows for stored requests."""
