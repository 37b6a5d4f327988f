"""What every HTTP face of a service shares."""
