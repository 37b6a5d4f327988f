"""Staff take a request from somebody who calls or comes to the counter. It is accepted in the one
way in (`submission`)."""
