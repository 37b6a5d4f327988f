"""What auditors and residents ask of the log."""
