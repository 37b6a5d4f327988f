"""Questions of auditors and residents about the log."""
