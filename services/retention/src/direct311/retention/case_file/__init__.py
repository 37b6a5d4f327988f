"""What is in a case file, part by part: the types that the capabilities of cases share."""
