"""The rules, and what is announced; no input or output."""
