"""Step 2: the images of a viewer, how they are understood, and what the model sees of them."""
