"""What retention knows about each record, and what follows from the schedule."""
