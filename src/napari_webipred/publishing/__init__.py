"""What is needed to publish a model: a folder for Zenodo, and proof that its numbers are right."""
