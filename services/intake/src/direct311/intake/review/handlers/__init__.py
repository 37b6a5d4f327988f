"""Use cases of a review: show, decide, render."""
