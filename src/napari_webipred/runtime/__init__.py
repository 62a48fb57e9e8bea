"""From model files to numbers."""
