"""Why a model says what it says: maps of the parts of an image that speak for a class."""
