"""By when: the county's working days, and jobs that are overdue."""
