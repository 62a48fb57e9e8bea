"""Maps of what speaks for a class, over the layers that were classified."""
