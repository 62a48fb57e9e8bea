"""Step 1: the list of models, what is known of the chosen one, its settings, and the models on this machine."""
