"""Whisper as ONNX graphs in the layout of Hugging Face Optimum: written from weights, and read back."""
