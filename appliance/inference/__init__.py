"""Text to entities: words, windows, the onnxruntime session and the decoding of its answers."""
