"""Types and rules of disposition and holds."""
