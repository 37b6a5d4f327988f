"""What is done to the query index, one module for each task."""
