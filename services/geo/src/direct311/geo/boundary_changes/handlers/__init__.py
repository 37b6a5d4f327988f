"""Use cases: propose, approve, put in force, roll back; compare; resolve anew."""
