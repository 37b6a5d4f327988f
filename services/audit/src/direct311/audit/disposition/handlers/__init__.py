"""What ends and what is held, one module for each task."""
