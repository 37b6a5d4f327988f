"""What reporters are told, in their language. No input or output here."""
