"""What becomes of a record's files later: whose job it is, the end, the sweep."""
