"""How submissions are read (forms, JSON, uploads), and the policy that applies to them."""
