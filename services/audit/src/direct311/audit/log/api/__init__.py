"""What comes to the log: events from the broker, and who reads its files."""
