"""What staff do: contact data, release of held complaints, marked requests, sign-in."""
