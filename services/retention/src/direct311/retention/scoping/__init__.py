"""What a case is about, what was searched for it, and its timeline."""
