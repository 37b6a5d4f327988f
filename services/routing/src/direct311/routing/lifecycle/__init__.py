"""The end of a job."""
