"""Taking a submission in."""
