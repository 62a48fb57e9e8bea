"""How Keras layers become ONNX nodes, one module per family."""
