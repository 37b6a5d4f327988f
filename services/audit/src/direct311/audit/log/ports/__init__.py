"""What the log needs of the world."""
