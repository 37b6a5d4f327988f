"""All text that is in a file which others made, and the process in which it is read."""
