"""*From an archive…*: searching an archive of images, and taking images from it."""
