"""What a resident submits, and the rule for anonymous complaints. No input or output here."""
