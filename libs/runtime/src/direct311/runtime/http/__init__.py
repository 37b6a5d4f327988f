"""What the HTTP interfaces of all services share."""
