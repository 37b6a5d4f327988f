"""What happens to a record's files later: whose job it is, destruction, the sweep."""
