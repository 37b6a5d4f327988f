"""What a review decides, and what a rendering makes of it."""
