"""Whether an image is like those that the user says a model is for."""
