"""What retention knows of each record, and what the schedule makes of it."""
