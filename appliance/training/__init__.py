"""How the bundled model was made, and how to make it again.

Needs the dependency group `train`; serving imports nothing from here. `graph.py` alone needs only `onnx`:
custom models are written with it too.
"""
