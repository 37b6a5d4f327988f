"""Who may do what, and the records of what they did."""
