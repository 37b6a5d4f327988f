"""How questions are answered, one module for each kind."""
