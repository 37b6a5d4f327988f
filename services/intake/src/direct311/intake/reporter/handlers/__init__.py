"""What a reporter does, and the e-mails that tell reporters the news."""
