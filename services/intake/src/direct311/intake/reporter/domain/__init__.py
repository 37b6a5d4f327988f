"""What reporters are told, in their language: pure."""
