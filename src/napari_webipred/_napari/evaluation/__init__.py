"""How good a model is: what was published, and what the user's own labels say."""
