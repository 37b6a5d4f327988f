"""What a reporter does, and the mail that tells them of news."""
