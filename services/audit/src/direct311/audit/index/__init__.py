"""The query index: queried, rebuilt from the log, compared with its tree."""
