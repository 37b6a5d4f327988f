"""What staff do: contact data, release of held complaints, flagged requests, sign-in."""
