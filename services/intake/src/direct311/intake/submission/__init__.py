"""The one way in: a submission is checked, masked and redacted, sealed, and stored once."""
