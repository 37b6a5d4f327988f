"""What the log needs from outside."""
