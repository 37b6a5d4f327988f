"""What stops a package, and what of it counsel clears with a reason."""
