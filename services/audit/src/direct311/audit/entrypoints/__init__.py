"""Where the outside comes in: events, the auditors' API, the log's files."""
