"""Training of the bundled speech model: recordings in, a Hugging Face CTC folder out.

Needs the dependency group `train` (torch), and `espeak-ng` for the synthetic voices.
"""
