"""How the bundled model was made, and how to make it again.

Needs the dependency group `train`; serving imports nothing from here.
"""
