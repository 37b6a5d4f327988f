"""What a resident submits, and the rule for anonymous complaints: pure."""
