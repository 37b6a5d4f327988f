"""Due dates: the county's working days, and overdue jobs."""
