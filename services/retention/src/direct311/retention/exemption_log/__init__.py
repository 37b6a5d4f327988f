"""What was withheld in released packages, over all cases."""
