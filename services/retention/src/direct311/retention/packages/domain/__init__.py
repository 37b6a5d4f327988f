"""What is collected of a record, what a package is, and what its papers say."""
