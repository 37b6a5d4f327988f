"""What the use cases need from outside, as it really is."""
