"""What a reporter does with a request: follow it, see what is held, correct, comment, end it."""
