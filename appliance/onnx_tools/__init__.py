"""ONNX files: inspection, quantization, building, and the runtime that runs them."""
