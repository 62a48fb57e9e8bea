"""Model files, read from a folder or a zip archive without trusting either."""
