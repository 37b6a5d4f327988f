"""How questions are answered, one module per kind."""
