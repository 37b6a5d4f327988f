"""Questions and answers of the staff API."""
