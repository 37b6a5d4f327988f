"""Types and rules of questions and of their answers."""
