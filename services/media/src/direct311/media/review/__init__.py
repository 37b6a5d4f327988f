"""Files of a disclosure case: reviewed page by page, decided on by a person, rendered for the
requester."""
