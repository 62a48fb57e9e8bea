"""Reports on results."""
