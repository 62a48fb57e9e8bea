"""Name classes, label a few pictures, and fit a head for them on the features of a model."""
