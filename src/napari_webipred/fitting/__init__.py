"""Own classes: a new head on the features of a published model."""
