"""The log: each event that arrives gets its leaf and is sealed, archived and published."""
