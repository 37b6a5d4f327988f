"""Which department, by when."""
