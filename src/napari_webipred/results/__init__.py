"""What came out of a classification."""
