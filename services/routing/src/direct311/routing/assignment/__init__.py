"""Whose job it is: rules, departments, the decision and its announcement."""
