"""From samples to acoustic output: features and the ONNX model."""
