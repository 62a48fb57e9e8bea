"""How well a model does on images whose classes are known."""
