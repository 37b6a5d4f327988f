"""What is watched for: types and rules."""
