"""The log: what arrives gets its leaf, is sealed, archived and published."""
