"""Pictures that are too large to be one image of a model: a probability for each tile."""
