"""The audit service: the tamper-evident log of every access to personal information."""
