"""The departments' work: their updates, accepted or refused, and their queue."""
