"""The departments' work: their updates, taken or refused, and their queue."""
