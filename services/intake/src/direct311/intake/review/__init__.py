"""Review and redaction of a record's sealed text, for a disclosure case."""
