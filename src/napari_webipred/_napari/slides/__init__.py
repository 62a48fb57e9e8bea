"""Heat maps of large pictures in the viewer."""
